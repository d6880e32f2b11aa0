# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="memory at 10,000 connections (k6: 1,000), two requests over each"
tools=(api-load k6)
columns=(connections 'kB a connection')
in_flight=0

up() {
  serve_nginx '' 'location / { return 200 "hello, world\n"; }' && url=http://127.0.0.1:$port/
}

served() { served_by_nginx; }

# All users make their first request before one makes its second: the pause is longer than the start.
run() { # tool
  local users=10000
  took=''
  case $1 in
    api-load) ours api-load --url "$url" -u "$users" -n $((2 * users)) --think 5s -d 60s ;;
    k6) users=1000 && k6_ k6_memory.js VUS="$users" PAUSE=5 URL="$url" ;;
  esac
  notes=$users$'\t'$(awk -v users="$users" '{ printf "%.2f", $4 * 1.024 / users }' "$dir/cost")
}

judge() { demand_value api-load 5 'peak RSS in MB' 100 largest; }
