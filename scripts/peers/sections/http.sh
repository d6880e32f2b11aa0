# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="plain GET, an answer of 13 bytes, 64 connections kept alive"
tools=(api-load wrk 'h2load --h1' oha hey ab k6 'locust FastHttpUser')

up() {
  serve_nginx '' 'location / { return 200 "hello, world\n"; }' && url=http://127.0.0.1:$port/
}

served() { served_by_nginx; }

run() { # tool
  case $1 in
    api-load) ours api-load --url "$url" -c 64 -d "${seconds}s" ;;
    wrk) wrk_ -c 64 -d "${seconds}s" "$url" ;;
    h2load*) h2load_ --h1 -c 64 -D "$seconds" "$url" ;;
    oha) oha_ -c 64 -z "${seconds}s" "$url" ;;
    hey) hey_ -c 64 -z "${seconds}s" "$url" ;;
    # The number must be there, or 50,000 are the end; memory for so many is asked for at the start.
    ab) ab_ -k -c 64 -t "$seconds" -n $((seconds * 200000)) "$url" ;;
    k6) k6_ k6_get.js VUS=64 SECONDS="$seconds" URL="$url" ;;
    locust*) locust_ --host "${url%/}" --users 64 --spawn-rate 64 --run-time "${seconds}s" ;;
  esac
}

judge() {
  demand api-load wrk 0.95 0.85
  demand api-load k6 1/10
  demand api-load 'locust FastHttpUser' 1/15
}
