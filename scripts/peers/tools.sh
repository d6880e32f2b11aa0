# shellcheck shell=bash disable=SC2034,SC2154 # variables of bench_peers.sh and of the section
# How is each tool called, and how many calls does it say it has made?
#
# All of these set `calls`.

# One of ours. That it takes a whole core is the purpose, so INVALID (111) is no failure here.
ours() { # arguments
  local code=0
  rm -rf "$dir/results"
  measured "$@" --threads 1 --no-thresholds --quiet --results "$dir/results" --run-id run || code=$?
  ((code != 111)) || invalid=$((invalid + 1))
  ((code == 0 || code == 111)) && calls=$(result .ledger.calls.ok)
}

# A figure of the run of ours that has just ended.
result() { # jq's filter
  jq -r "$1" "$dir"/results/run/*_summary.json
}

wrk_() { # arguments
  measured wrk -t1 "$@" && calls=$(awk '/requests in/ { print $1 }' "$dir/out")
}

h2load_() { # arguments
  measured h2load -t1 "$@" && calls=$(sed -n 's/^requests: .* \([0-9]*\) succeeded.*/\1/p' "$dir/out")
}

oha_() { # arguments
  measured oha --no-tui --output-format json "$@" && calls=$(jq '.statusCodeDistribution["200"]' "$dir/out")
}

hey_() { # arguments
  # It keeps only the first million of answers, but counts them all.
  measured hey "$@" &&
    calls=$(awk '/Total:/ { total = $2 } /Requests\/sec:/ { rate = $2 } END { printf "%.0f", total * rate }' "$dir/out")
}

ab_() { # arguments
  measured ab -q "$@" && calls=$(awk '/^Complete requests:/ { print $3 }' "$dir/out")
}

k6_() { # script, KEY=VALUE...
  local pair set=()
  for pair in "${@:2}"; do
    set+=(-e "$pair")
  done
  measured k6 run --quiet --no-usage-report --address '' "${set[@]}" "$here/$1" &&
    calls=$(k6_result "${metric:-http_reqs}.values.count")
}

# A figure of k6's summary; its scripts print it whole.
k6_result() { # metric.values.name
  jq -r ".$1 // 0" "$dir/out"
}

locust_() { # arguments
  measured locust -f "$here/locustfile.py" --headless --only-summary --json --loglevel WARNING "$@" &&
    calls=$(jq '[.[].num_requests] | add' "$dir/out")
}
