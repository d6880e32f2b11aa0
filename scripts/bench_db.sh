#!/usr/bin/env bash
# CPU per call of db-load and its peers against the same servers: pinned, alternating, medians and ratios.
#
# Usage: scripts/bench_db.sh [--rounds N] [--seconds N]
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=3
seconds=4
while (($#)); do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "bench_db.sh: unknown argument $1; expected --rounds N or --seconds N" >&2; exit 104 ;;
  esac
done
for need in jq taskset pgbench redis-benchmark; do
  command -v "$need" >/dev/null || { echo "bench_db.sh: no $need; install it" >&2; exit 104; }
done

cargo build --release --locked -q -p db-load
tool=${CARGO_TARGET_DIR:-target}/release/db-load
dir=$(mktemp -d)
trap 'scripts/services.sh stop "$dir"; rm -rf "$dir"' EXIT
# What a server starts stays on the core of the one who started it.
services=$(taskset -c 1 scripts/services.sh start "$dir")
postgres=$(awk '$1 == "postgres" { print $2 }' <<<"$services")
redis=$(awk '$1 == "redis" { print $2 }' <<<"$services")
redis_port=$(cat "$dir/redis/port")
password=$(cat "$dir/redis/password")
pgbench -q -i "$postgres" 2>/dev/null
redis-benchmark -p "$redis_port" -a "$password" -t set -r 10000 -n 200000 -d 100 -P 50 -q >/dev/null

# Each prints the calls that a tool made, as the tool itself counts them.
db_load() { # name of the run, arguments
  taskset -c 0 "$tool" "${@:2}" -d "${seconds}s" --threads 1 --quiet --results "$dir/r" --run-id "$1"
  jq -r .ledger.calls.ok "$dir/r/$1"/db-*_summary.json
}
redis_benchmark() { # clients, pipeline, calls
  taskset -c 0 redis-benchmark -p "$redis_port" -a "$password" -t get -r 10000 -c "$1" -P "$2" -n "$3" -q >/dev/null
  echo "$3"
}
run() { # what, name of the run
  case $1 in
    'db-load postgres, reads') db_load "$2" postgres --url "$postgres" -c 16 --read-ratio 1 ;;
    'pgbench -S -M prepared')
      taskset -c 0 pgbench -n -S -M prepared -c 16 -j 1 -T "$seconds" "$postgres" |
        awk '/actually processed/ { print $NF }' | cut -d / -f 1
      ;;
    'db-load postgres, 80 % reads') db_load "$2" postgres --url "$postgres" -c 16 ;;
    'db-load redis -c 64') db_load "$2" redis --url "$redis" -c 64 --read-ratio 1 ;;
    'redis-benchmark -c 64') redis_benchmark 64 1 $((seconds * 80000)) ;;
    'db-load redis, 1 x 64') db_load "$2" redis --url "$redis" -u 64 -c 1 --pipeline 64 --read-ratio 1 ;;
    'redis-benchmark -c 1 -P 64') redis_benchmark 1 64 $((seconds * 800000)) ;;
  esac
}

names=('db-load postgres, reads' 'pgbench -S -M prepared' 'db-load postgres, 80 % reads' 'db-load redis -c 64'
  'redis-benchmark -c 64' 'db-load redis, 1 x 64' 'redis-benchmark -c 1 -P 64')
TIMEFORMAT='%U %S %R'
for ((round = 1; round <= rounds; round++)); do
  for name in "${names[@]}"; do
    { time run "$name" "${name//[^a-z0-9]/}-$round" >"$dir/calls" 2>"$dir/said"; } 2>"$dir/time"
    awk -v name="$name" -v calls="$(cat "$dir/calls")" \
      '{ printf "%s\t%.2f\t%.0f\n", name, ($1 + $2) * 1e6 / calls, calls / $3 }' "$dir/time" >>"$dir/rounds"
  done
done

echo "generator on core 0, servers on core 1, $rounds rounds of about $seconds s in turn; the median, and from to"
printf '%-30s %12s %18s %10s\n' tool 'CPU us/call' 'from to' calls/s
for name in "${names[@]}"; do
  awk -F '\t' -v name="$name" '$1 == name { print $2, $3 }' "$dir/rounds" | sort -n |
    awk -v name="$name" '{ cpu[NR] = $1; rate[NR] = $2 } END {
      m = int((NR + 1) / 2); printf "%-30s %12.2f %10.2f %7.2f %10d\n", name, cpu[m], cpu[1], cpu[NR], rate[m] }'
done
