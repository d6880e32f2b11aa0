# shellcheck shell=bash disable=SC2034,SC2154,SC2317 # read and set by measure.sh
about="echo over 1,000 WebSockets, each as fast as it goes; every message is recorded"
tools=(ws-load k6)
in_flight=1000

up() { serve_ws && url=ws://127.0.0.1:$ws_port/; }

served() { served_by_ws; }

run() { # tool
  case $1 in
    ws-load) ours ws-load --url "$url" -u 1000 -d "${seconds}s" ;;
    k6) metric=echoes k6_ k6_ws.js VUS=1000 SECONDS="$seconds" URL="$url" ;;
  esac
}

judge() {
  demand_value ws-load 3 'CPU µs a round trip' 5.0
  demand ws-load k6 1/4
}
