#!/usr/bin/env bash
# Does DWCP's data plane do what it should? Throughput beside iperf3, a VM that goes on writing, and many migrations at once.
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/bench_dwcp.sh [--rounds N] [--seconds N] [PART...]

Runs all parts, or those that are named:
  throughput  memory over one stream, not compressed, beside one stream of iperf3 on the same loopback:
              at least 0.5 of it over TCP, 0.35 over WebSocket
  converge    1 GiB at 200 MB/s, of which 10 % are dirtied a second: at least 3 rounds, no loss, downtime within 500 ms
  many        1,000 migrations of 4 MiB at once: p95 below 30 s, no loss, memory within what the check before the run says

  --rounds N   so often is throughput measured, all tools in turn [default: 5]
  --seconds N  so long is each run of iperf3 [default: 5]
  --help       this text

The source runs on core 0, the target on core 1. Needs iperf3 (Debian: iperf3), jq and GNU time. Nothing stays in the work tree.
The exit code is 0 when all was measured and holds, 1 when not, 104 for a wrong command line.
END
}

refuse() {
  echo "bench_dwcp.sh: $1" >&2
  exit 104
}

parts=(throughput converge many)
rounds=5
seconds=5
chosen=()
while (($#)); do
  case $1 in
    --rounds | --seconds)
      [[ ${2-} =~ ^[1-9][0-9]{0,2}$ ]] || refuse "$1 ${2:-(nothing)}: expected a number from 1 to 999"
      declare "${1#--}=$2"
      shift 2
      ;;
    --help | -h) usage && exit 0 ;;
    *)
      [[ " ${parts[*]} " == *" $1 "* ]] || refuse "unknown argument $1; expected --rounds, --seconds, --help or some of: ${parts[*]}"
      chosen+=("$1") && shift
      ;;
  esac
done
((${#chosen[@]} > 0)) || chosen=("${parts[@]}")

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for need in iperf3 jq taskset; do
  command -v "$need" >/dev/null || refuse "no $need; install it"
done
[[ -x /usr/bin/time ]] || refuse 'no /usr/bin/time; install it (Debian: time)'
unset "${!QUINTET_@}" DWCP_DATA_URL API_TOKEN

servers=()
dir=$(mktemp -d)
leave() {
  trap '' INT TERM HUP
  local pid
  for pid in "${servers[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap leave EXIT
trap 'exit 105' INT TERM HUP

cargo build --release --locked --quiet --package=dwcp-load --package=target-server
bin=${CARGO_TARGET_DIR:-target}/release

# Starts the target on core 1; `tcp` and `ws` are where it answers.
taskset -c 1 "$bin/target-server" --http 127.0.0.1:0 --dwcp 127.0.0.1:0 --dwcp-data 127.0.0.1:0 --record off >"$dir/target" &
servers+=($!)
for ((try = 0; try < 100; try++)); do
  tcp=$(awk '$1 == "dwcp-data" { print $2 }' "$dir/target")
  ws=$(awk '$1 == "dwcp" { sub("http", "ws", $2); print $2 }' "$dir/target")
  [[ -z $tcp ]] || break
  sleep 0.05
done
[[ -n $tcp ]] || { echo 'bench_dwcp.sh: the target did not start' >&2 && exit 1; }

# Migrates with one worker on core 0; what it left is in $dir/run, what it said in $dir/said, its peak memory in kB in $dir/peak.
migrate() { # arguments
  local code=0
  rm -rf "$dir/results"
  timeout 300 taskset -c 0 /usr/bin/time --quiet -o "$dir/peak" -f %M "$bin/dwcp-load" --mode data --threads 1 --no-thresholds \
    --quiet --timeout 5m --results "$dir/results" --run-id run "$@" >"$dir/said" 2>&1 || code=$?
  # That it takes a whole core is the purpose, so INVALID (111) is no failure here.
  ((code == 0 || code == 111)) || { tail -n 3 "$dir/said" >&2 && return 1; }
  cp "$dir"/results/run/*_summary.json "$dir/run"
}

counter() { jq --arg name "$1" '.counters[] | select(.name == $name) | .count' "$dir/run"; }
# In ms.
series() { jq --arg name "$1" --arg what "$2" '.extras[] | select(.name == $name) | .ms[$what] // 0' "$dir/run"; }

# How long the worker was busy with one turn, in ms.
turn() { jq --arg what "$1" '.generator.turn_ms[$what] // 0' "$dir/run"; }

holds() { # whether (1 or 0), what
  if (($1)); then
    echo "- holds: $2"
  else
    echo "- MISSED: $2"
    failed=1
  fi
}

is() { awk "BEGIN { print ($1) ? 1 : 0 }"; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# MB/s of memory while it was copied, in $dir/NAME.
throughput_of() { # name, URL
  migrate --url "$2" -u 1 -n 4 --vm-memory 1GiB --streams 1 --compress none --dirty-rate 0 \
    --zero-pages 0 --duplicate-pages 0 --compressible 0
  awk -v bytes="$(counter bytes_raw)" -v ms="$(series phase_pre_copy mean)" 'BEGIN { printf "%.0f\n", bytes / 4 / ms / 1e3 }' >>"$dir/$1"
}

throughput() {
  local round ours
  taskset -c 1 iperf3 -s -p 15201 -B 127.0.0.1 >"$dir/iperf3" 2>&1 &
  servers+=($!)
  sleep 0.5
  # A target takes memory when it needs it, and keeps it: a fault a page is not what is to be measured here.
  throughput_of warm "$tcp"
  for ((round = 1; round <= rounds; round++)); do
    taskset -c 0 iperf3 -c 127.0.0.1 -p 15201 -t "$seconds" -J >"$dir/iperf"
    jq '.end.sum_received.bits_per_second / 8e6 | round' "$dir/iperf" >>"$dir/peer"
    throughput_of tcp "$tcp"
    throughput_of ws "$ws"
  done
  echo '| one stream | MB/s, median | of iperf3 |'
  echo '|---|---:|---:|'
  for ours in peer tcp ws; do
    awk -v name="$ours" -v its="$(median "$dir/$ours")" -v peer="$(median "$dir/peer")" \
      'BEGIN { printf "| %s | %d | %.2f |\n", name == "peer" ? "iperf3" : "dwcp-load, " name, its, its / peer }'
  done
  holds "$(is "$(median "$dir/tcp") >= 0.5 * $(median "$dir/peer")")" 'over TCP at least 0.5 of iperf3 (goal 0.8)'
  holds "$(is "$(median "$dir/ws") >= 0.35 * $(median "$dir/peer")")" 'over WebSocket at least 0.35 of iperf3'
}

converge() {
  migrate --url "$tcp" -u 1 -n 1 --vm-memory 1GiB --bandwidth-limit 200MB/s --dirty-rate 10% --streams 1 --zero-pages 0
  echo "1 GiB at 200 MB/s, 10 % dirtied a second: $(counter rounds) rounds, $(series migration_time max) ms, downtime" \
    "$(series downtime max) ms, $(counter bytes_raw) bytes copied; turns of the worker p99" \
    "$(turn p99) ms, longest $(turn max) ms"
  holds "$(is "$(counter rounds) >= 3")" 'at least 3 rounds'
  holds "$(is "$(counter migrations_completed) == 1 && $(counter data_loss) == 0")" 'converges, and both hashes are equal'
  holds "$(is "$(series downtime max) <= 500")" "downtime within the mode's 500 ms"
  # A loop that does nothing but copy 256 KiB has turns over 1 ms, too, on a machine that others share.
  holds "$(is "$(turn p99) <= 1")" 'the worker is busy for at most 1 ms at a time (p99)'
}

many() {
  local estimate
  migrate --url "$tcp" -u 1000 -n 3000 --vm-memory 4MiB --streams 1 -v
  estimate=$(grep -o 'about [0-9]* MiB' "$dir/said" | grep -o '[0-9]*')
  echo "1,000 migrations of 4 MiB at once: p95 $(series migration_time p95) ms, p99 $(series migration_time p99) ms," \
    "$(counter migrations_completed) completed, peak RSS $(($(cat "$dir/peak") / 1024)) MiB of about ${estimate:-?}"
  holds "$(is "$(series migration_time p95) < 30000")" 'p95 below 30 s'
  holds "$(is "$(counter migrations_completed) == 3000 && $(counter data_loss) == 0")" 'all complete, nothing is lost'
  holds "$(jq 'if any(.invalid[]; .clause == "laws") then 0 else 1 end' "$dir/run")" 'the laws hold'
  holds "$(is "$(cat "$dir/peak") / 1024 <= ${estimate:-0}")" 'memory within the estimate'
}

failed=0
for part in "${chosen[@]}"; do
  echo "## $part"
  echo
  "$part"
  echo
done
((failed == 0))
