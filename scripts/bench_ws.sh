#!/usr/bin/env bash
# How many WebSockets does ws-load hold, and what does it say of them? Against target-server on this machine.
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/bench_ws.sh [PART...]

Runs the parts that are named, or all but the last one:
  hold      100,000 connections for a minute with messages on all of them: no connect fails, at most 3 GB for both sides
  fanout    20 broadcasts to 50,000 connections: all are accounted for, and the last receiver is as late as the last write
  restart   the server is killed under 20,000 connections and started again: all come back, at most 2,000 a second
  million   1,000,000 connections, a round trip over each in every minute of three; 24 GB of memory and ten minutes

  --help    this text

A process has at most 20,000 descriptors here, so both sides have as many processes as they need. Memory is PSS of all processes
and what the kernel's slabs have grown by. Let nothing else run on the machine. Nothing stays in the work tree. The exit code is 0
when all was measured and holds, 1 when not, 104 for a wrong command line.
END
}

refuse() {
  echo "bench_ws.sh: $1" >&2
  exit 104
}

parts=(hold fanout restart million)
chosen=()
while (($#)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    *)
      [[ " ${parts[*]} " == *" $1 "* ]] || refuse "unknown argument $1; expected --help or some of: ${parts[*]}"
      chosen+=("$1") && shift
      ;;
  esac
done
((${#chosen[@]} > 0)) || chosen=(hold fanout restart)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for need in jq curl pgrep; do
  command -v "$need" >/dev/null || refuse "no $need; install it"
done
unset "${!QUINTET_@}" WS_URL API_TOKEN

dir=$(mktemp -d)
server=''
tool=''
leave() {
  trap '' INT TERM HUP
  local pid
  for pid in $tool $server; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap leave EXIT
trap 'exit 105' INT TERM HUP

cargo build --release --locked --quiet --package=ws-load --package=target-server
built=${CARGO_TARGET_DIR:-target}/release
ws=127.0.0.1:18391
control=127.0.0.1:18390
missed=0

# Starts the server with so many processes, and waits until it answers.
serve() { # processes
  local try
  "$built/target-server" --ws "$ws" --http "$control" --processes "$1" --record off >/dev/null &
  server=$!
  for ((try = 0; try < 200; try++)); do
    ! curl -fs "http://$control/health" >/dev/null || return 0
    sleep 0.1
  done
  refuse 'the server does not answer'
}

end_server() {
  kill -TERM "$server"
  wait "$server" || true
  server=''
}

slab() { awk '/^Slab:/ { print $2 }' /proc/meminfo; }

# Memory of a process and its children, kB.
pss() { # process
  local pid
  for pid in "$1" $(pgrep -P "$1"); do
    awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null || true
  done | awk '{ sum += $1 } END { print sum + 0 }'
}

# Runs ws-load beside the server and leaves the most memory that both took, and the kernel, in `most`, kB.
load() { # arguments
  local before now
  rm -rf "$dir/results"
  before=$(slab)
  most=0
  "$built/ws-load" --url "ws://$ws/" --processes auto --quiet --no-progress --results "$dir/results" --run-id run "$@" &
  tool=$!
  while kill -0 "$tool" 2>/dev/null; do
    now=$(($(pss "$tool") + $(pss "$server") + $(slab) - before))
    ((now <= most)) || most=$now
    sleep 2
  done
  wait "$tool" || true
  tool=''
}

result() { jq -r "$1" "$dir/results/run/ws_summary.json"; }

truth() { curl -fsS "http://$control/truth" | jq "$1"; }

# Says whether something holds: an expression of jq over the result, with $most and $truth.
demand() { # what, expression, figures
  local holds
  holds=$(jq --argjson most "$most" --argjson truth "$(truth .ws)" "$2" "$dir/results/run/ws_summary.json")
  if [[ $holds == true ]]; then
    echo "- holds: $1 ($3)"
  else
    echo "- MISSED: $1 ($3)"
    missed=1
  fi
}

held() {
  demand 'no connect failed and none was lost' '.connections.failed == 0 and .connections.lost == 0' \
    "$(result '[.connections.peak, .connections.failed, .connections.lost] | "\(.[0]) held, \(.[1]) failed, \(.[2]) lost"')"
  demand 'the server counted the same' ".connections.opened + .ledger.control_calls == \$truth.opened and .ledger.calls.ok == \$truth.sent.echo" \
    "$(truth .ws.opened) connections, $(truth .ws.sent.echo) echoes"
  result '.totals | "- round trips \(.requests), ms: p50 \(.response_ms.p50), p95 \(.response_ms.p95), p99 \(.response_ms.p99), max \(.response_ms.max)"'
  result '.generator | "- generator: \(.cpu_s) s of CPU, at most \(.rss_bytes_per_connection | round) bytes a connection, lateness p99 \(.lateness_ms.p99) ms"'
  result '"- verdict: \(.verdict)"'
}

hold() {
  serve 6
  load -c 100000 -r 5000 -d 60s --connect-rate 5000
  held
  demand 'both sides take at most 3 GB' "\$most <= 3e6" "$((most / 1000)) MB"
  end_server
}

million() {
  serve 56
  load -c 1000000 -r 17000 -d 180s --connect-rate 6000 --graceful-stop 60s
  held
  demand 'a round trip over each connection a minute' '.ledger.calls.ok >= 3e6' "$(result .ledger.calls.ok) in 180 s"
  demand 'both sides take at most 24 GB' "\$most <= 24e6" "$((most / 1000)) MB"
  end_server
}

fanout() {
  serve 4
  load -c 50000 -r 0.5 --stage 40s:0.5,0s:0,5s:0 --send publish --fanout --connect-rate 5000
  demand 'all receivers are accounted for' \
    ".fanout.messages == 20 and .fanout.receivers == [49999, 49999] and .fanout.received == \$truth.sent.broadcast" \
    "$(result '.fanout | "\(.messages) messages, \(.receivers[0]) to \(.receivers[1]) receivers"')"
  # Last write − stamp of each, by the server; the ages of the last receivers, by the tool: the two medians.
  local written last
  written=$(truth '[.ws.broadcasts | to_entries[] | .value.last_ns / 1e6 - (.key | fromjson.timestamp)] | sort | .[(length - 1) / 2 | floor]')
  last=$(result .fanout.last_ms.p50)
  demand 'the last receiver is at most max(5 ms, 5 %) behind the last write' \
    ".fanout.last_ms.p50 - $written | . >= -0.5 and . <= ([5, 0.05 * $written] | max)" "written after $written ms, received after $last ms"
  end_server
}

restart() {
  serve 2
  (
    sleep 15
    kill -KILL "$server" $(pgrep -P "$server")
    sleep 5
    exec "$built/target-server" --ws "$ws" --http "$control" --processes 2 --record off >/dev/null
  ) &
  local again=$!
  load -c 20000 -r 2000 -d 60s --connect-rate 2000 --no-thresholds
  demand 'all were lost and all came back' '.connections.lost >= 20000 and .timeseries.points[-2].connections == 20000' \
    "$(result '"\(.connections.lost) lost, \(.timeseries.points[-2].connections) at the end"')"
  demand 'never more than 2,000 connections a second' '[.timeseries.points[1:][].opened] | max <= 2000' \
    "$(result '"at most \([.timeseries.points[1:][].opened] | max)"')"
  result '.connections.reconnect_ms | "- without a connection, ms: min \(.min), p50 \(.p50), max \(.max)"'
  kill -TERM "$again" 2>/dev/null || true
  wait "$again" "$server" 2>/dev/null || true
  server=''
}

echo "On $(date -u +%F), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.0f", $2 / 1e6 }' /proc/meminfo) GB."
for part in "${chosen[@]}"; do
  printf '\n## %s\n\n' "$part"
  "$part"
done
((missed == 0))
