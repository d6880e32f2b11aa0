# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="gRPC: a unary call with a message of 20 bytes, 8 connections of 8 streams (k6: 64 of 1)"
tools=(grpc-load h2load 'k6 grpc')

up() {
  local port
  port=$(free_port)
  # In one process, which counts for itself.
  serve "$port" target-server --http "127.0.0.1:0" --grpc "127.0.0.1:$port" --record off || return 1
  status=$(awk '$1 == "http" { print $2 }' "$dir/server") url=http://127.0.0.1:$port
  # The frame that grpc-load sends for the JSON below: no compression, length, fields 1 and 2.
  printf '\0\0\0\0\x14\x0a\x07agent-1\x12\x09developer' >"$dir/frame"
}

served() { curl -fsS --max-time 10 "$status/truth" | jq .grpc.calls; }

run() { # tool
  local method=nova_torch.NovaOrchestrator/RegisterAgent
  case $1 in
    grpc-load)
      ours grpc-load --url "$url" --method "$method" --json '{"agent_id":"agent-1","agent_type":"developer"}' \
        -u 64 -c 8 -d "${seconds}s"
      ;;
    h2load)
      h2load_ -c 8 -m 8 -D "$seconds" -d "$dir/frame" -H 'content-type: application/grpc' -H 'te: trailers' "$url/$method"
      ;;
    k6*)
      # It has no counter of calls; an iteration is one.
      metric=iterations k6_ k6_grpc.js VUS=64 SECONDS="$seconds" ADDRESS="${url#http://}" PROTO="$PWD/crates/load-wire/proto"
      ;;
  esac
}

judge() {
  demand grpc-load h2load 1.5
  demand grpc-load 'k6 grpc' 1/10
}
