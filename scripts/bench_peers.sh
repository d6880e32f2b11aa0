#!/usr/bin/env bash
# CPU per request of api-load and its peers against the same nginx: pinned, alternating, medians and ratios.
#
# Usage: scripts/bench_peers.sh [--rounds N] [--seconds N] [--install]
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5
seconds=5
install=0
while (($#)); do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --install) install=1; shift ;;
    --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "bench_peers.sh: unknown argument $1; expected --rounds N, --seconds N or --install" >&2; exit 104 ;;
  esac
done

if ((install)); then
  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y nginx-light wrk jq
  command -v oha >/dev/null || cargo install --locked oha
fi
PATH=$PATH:/usr/sbin
for need in nginx jq taskset; do
  command -v "$need" >/dev/null || { echo "bench_peers.sh: no $need; run with --install, or install it" >&2; exit 104; }
done

cargo build --release --locked -q -p api-load
dir=$(mktemp -d)
trap 'kill "$(cat "$dir/nginx.pid")" 2>/dev/null || true; rm -rf "$dir"' EXIT
port=$((20000 + RANDOM % 10000))
cat >"$dir/nginx.conf" <<CONF
worker_processes 1; pid $dir/nginx.pid; error_log $dir/error.log crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
  server { listen 127.0.0.1:$port; location / { default_type text/plain; return 200 "hello, world\n"; } }
}
CONF
taskset -c 1 nginx -c "$dir/nginx.conf"
url=http://127.0.0.1:$port/

# Prints the requests that a tool made, as the tool itself counts them.
run_api_load() {
  target/release/api-load --url "$url" -c 64 -d "${seconds}s" --threads 1 --quiet --results "$dir/r" --run-id "$1" >&2
  jq -r .ledger.calls.ok "$dir/r/$1/api_summary.json"
}
run_wrk() { wrk -t1 -c64 -d"${seconds}s" "$url" | awk '/requests in/ {print $1}'; }
run_oha() {
  oha --no-tui -c 64 -z "${seconds}s" --output-format json "$url" |
    jq '.statusCodeDistribution["200"]'
}

tools=(api_load)
for peer in wrk oha; do
  if command -v "$peer" >/dev/null; then tools+=("$peer"); else echo "$peer is not installed; left out (--install gets it)" >&2; fi
done

export -f run_api_load run_wrk run_oha
export url seconds dir
for ((round = 1; round <= rounds; round++)); do
  for tool in "${tools[@]}"; do
    TIMEFORMAT='%U %S'
    { time taskset -c 0 bash -c "run_$tool $round" >"$dir/out" 2>"$dir/err"; } 2>"$dir/time"
    awk -v tool="$tool" -v n="$(cat "$dir/out")" -v s="$seconds" \
      '{ printf "%s %.3f %.0f\n", tool, ($1 + $2) * 1e6 / n, n / s }' "$dir/time" >>"$dir/rounds"
  done
done

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "64 connections, generator on core 0, nginx on core 1, $rounds rounds of $seconds s, medians"
printf '%-10s %16s %14s %10s\n' tool 'CPU µs/request' requests/s 'CPU ratio'
ours=$(awk '$1 == "api_load" {print $2}' "$dir/rounds" | median)
for tool in "${tools[@]}"; do
  cpu=$(awk -v t="$tool" '$1 == t {print $2}' "$dir/rounds" | median)
  rate=$(awk -v t="$tool" '$1 == t {print $3}' "$dir/rounds" | median)
  printf '%-10s %16.2f %14.0f %10.2f\n' "$tool" "$cpu" "$rate" "$(awk -v a="$ours" -v b="$cpu" 'BEGIN {print a / b}')"
done
echo "CPU ratio: api-load's over the tool's."
