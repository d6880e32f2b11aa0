# shellcheck shell=bash disable=SC2034,SC2154,SC1091 # read by measure.sh and set by it; found from the root of the repository
source scripts/peers/sections/pgbench.sh
about="PostgreSQL: the same at half the rate that pgbench reaches, Poisson arrivals (--seconds 60 is what the target asks for)"
tools=('db-load -r' 'pgbench -R')
columns=('latency mean ms' 'schedule lag mean ms' 'of the rate %')
rate=''

run() { # tool
  local reached
  if [[ -z $rate ]]; then
    reached=$(taskset -c 0 pgbench -n -b "$workload" -M prepared -c 16 -j 1 -T 5 "$url" 2>"$dir/err" |
      sed -n 's|^tps = \([0-9]*\).*|\1|p')
    rate=$((reached / 2))
    ((rate > 0)) || return 1
    say "$section: half of $reached/s is $rate/s"
  fi
  if [[ $1 == pgbench* ]]; then
    measured pgbench -n -b "$workload" -M prepared -c 16 -j 1 -T "$seconds" -R "$rate" "$url" &&
      calls=$(sed -n 's|^number of transactions actually processed: \([0-9]*\).*|\1|p' "$dir/out") &&
      notes=$(sed -n 's|^latency average = \([0-9.]*\) ms|\1|p' "$dir/out")$'\t' &&
      notes+=$(sed -n 's|^rate limit schedule lag: avg \([0-9.]*\) .*|\1|p' "$dir/out")
  else
    ours db-load postgres --url "$url" --workload "$workload" --use-existing -u 16 --no-pool -d "${seconds}s" \
      -r "$rate" --arrivals poisson &&
      notes=$(result '[.totals.response_ms.mean, .totals.lag_ms.mean] | map(. * 1000 | round / 1000) | @tsv')
  fi
  notes+=$'\t'$(awk -v calls="$calls" -v due=$((rate * seconds)) 'BEGIN { printf "%.1f", calls * 100 / due }')
}

# Says whether the medians of a column differ by at most 10 % or 0.1 ms.
agree() { # column, what
  awk -v ours="$(median "${tools[0]}" "$1")" -v peers="$(median "${tools[1]}" "$1")" -v what="$2" 'BEGIN {
    apart = ours - peers; limit = peers * 0.1 > 0.1 ? peers * 0.1 : 0.1
    printf "- %s: %s agrees within 10 %% or 0.1 ms: %.3f and %.3f ms\n",
      apart <= limit && -apart <= limit ? "holds" : "MISSED", what, ours, peers }'
}

judge() {
  agree 7 'mean latency'
  agree 8 'mean schedule lag'
}
