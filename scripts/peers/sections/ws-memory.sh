# shellcheck shell=bash disable=SC2034,SC2154,SC2317 # read and set by measure.sh
about="memory at 15,000 WebSockets (k6: 1,000) after ten messages over each"
tools=(ws-load k6)
columns=(connections 'kB a connection')
in_flight=1000

up() { serve_ws && url=ws://127.0.0.1:$ws_port/; }

served() { served_by_ws; }

run() { # tool
  local users=15000
  took=''
  case $1 in
    ws-load) ours ws-load --url "$url" -u "$users" --think 2s -n $((10 * users)) -d 90s --connect-rate 5000 ;;
    k6) users=1000 && metric=echoes k6_ k6_ws.js VUS="$users" SECONDS=25 PAUSE=2 URL="$url" ;;
  esac
  notes=$users$'\t'$(awk -v users="$users" '{ printf "%.2f", $4 * 1.024 / users }' "$dir/cost")
}

judge() { demand_value ws-load 8 'peak RSS in kB a connection' 5.12 largest; }
