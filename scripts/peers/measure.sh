# shellcheck shell=bash disable=SC2034,SC2154,SC2317 # variables of bench_peers.sh and of the section
# What does one run of a tool cost, and which runs are made?
#
# A section is a file in sections/ that sets:
#   about      one line: what is measured
#   tools      the tools, the first one being ours; the first word of each is its program
#   up         a function that starts the server, with the help of servers.sh
#   run        a function that runs a tool (`run NAME`) through `measured` and sets `calls`, and may set `notes`
#   judge      a function that says which targets hold: calls of `demand` and `demand_value`
# and, where they differ from what `reset_section` says:
#   served     a function that prints how many calls the server has counted
#   in_flight  so many calls may be under way when a run ends
#   columns    headings of `notes`, more figures of a run, by tabs; "-" for what a tool does not tell

reset_section() {
  about='' tools=() columns=() in_flight=64
  served() { true; }
  judge() { true; }
}

# Time that the hypervisor took from this machine since it started, and all of its time.
stolen() { awk '$1 == "cpu" { for (i = 2; i <= 9; i++) all += $i; print $9, all }' /proc/stat; }

# Runs a command on core 0, and leaves what it printed in $dir/out and $dir/err, and what it cost in $dir/cost: seconds of
# CPU as user and as system, seconds of the clock, most memory in kB.
measured() { # command
  local code=0
  timeout --kill-after=5 $((seconds + 120)) \
    taskset -c 0 /usr/bin/time --quiet -o "$dir/cost" -f '%U %S %e %M' "$@" </dev/null >"$dir/out" 2>"$dir/err" &
  running=$!
  wait "$running" || code=$?
  running=''
  return "$code"
}

# Writes down a run: tool, round, CPU µs a call, calls/s, memory in MB, share of a core in percent, and the section's notes.
record() { # tool
  awk -v tool="$1" -v round="$round" -v calls="$calls" -v took="${took:-}" -v notes="$notes" '{
      cpu = $1 + $2; if (took == "") took = $3
      printf "%s\t%d\t%.4f\t%.0f\t%.1f\t%.1f\t%s\n", tool, round, cpu * 1e6 / calls, calls / took, $4 * 1.024 / 1000, cpu * 100 / $3, notes
    }' "$dir/cost" >>"$dir/rounds"
}

# One run of one tool.
measure() { # tool
  local before after differs
  calls='' took=$seconds notes=''
  before=$(served)
  if ! run "$1" || [[ ! $calls =~ ^[1-9][0-9]*$ ]]; then
    say "$section: $1 failed in round $round: $(tail -n 1 "$dir/err")"
    return 1
  fi
  after=$(served)
  if [[ -n $before && -n $after ]]; then
    differs=$((after - before - calls))
    ((${differs#-} <= in_flight)) ||
      say "$section: $1 says $calls calls in round $round, the server counted $((after - before))"
  fi
  record "$1"
}

measure_section() { # name
  local section=$1 present=() tool round lost=0 invalid=0 before after
  for tool in "${tools[@]}"; do
    if command -v "${tool%% *}" >/dev/null; then
      present+=("$tool") seen+=("${tool%% *}")
    else
      say "$section: ${tool%% *} is not installed; left out (--install gets it, if it can be had)"
    fi
  done
  : >"$dir/rounds"
  if ! up; then
    say "$section: its server did not start; left out"
    stop_servers
    return 1
  fi
  say "$section"
  before=$(stolen)
  for ((round = 1; round <= rounds; round++)); do
    for tool in "${present[@]}"; do
      measure "$tool" || lost=1
    done
  done
  after=$(stolen)
  stop_servers
  printf '\n## %s: %s\n\n' "$section" "$about"
  table "${present[@]}"
  printf '\n'
  judge
  ((invalid == 0)) || echo "- INVALID by its own verdict: $invalid runs of ours"
  awk -v before="$before" -v after="$after" 'BEGIN {
    split(before, b); split(after, a); share = (a[1] - b[1]) * 100 / (a[2] - b[2])
    if (share >= 1) printf "- noisy: the hypervisor took %.0f %% of the time\n", share }'
  return "$lost"
}
seen=() # programs, of which the versions are told
