#!/usr/bin/env bash
# Builds the suite, starts the reference server (or takes API_URL), runs every component against it, judges the
# results, and leaves with the verdict's exit code. Whatever it started is stopped on every way out.
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/run_all.sh [--run-id ID] [--results DIR] [--duration D] [--rate R] [--quick]

  --run-id ID    name of the run's folder [default: the time in UTC]
  --results DIR  folder of the results folders [default: results, where `latest` points at the last run]
  --duration D   how long each component runs: 30s, 5m [default: 10s]
  --rate R       arrivals/s of each component [default: 2000]
  --quick        a rehearsal on the development build: 2s at 400/s, too few calls to judge the generator by
  --help         this text

Environment:
  API_URL        the HTTP target; without it, target-server is started on a free port of 127.0.0.1

The exit code is aggregate's (0 pass, 99 a threshold failed, 111 invalid; `aggregate --help` lists them all), or that
of a component that could not run: 104 bad usage, 114 no target.
END
}

refuse() {
  echo "run_all.sh: $1; --help lists the flags" >&2
  exit 104
}

say() {
  echo "run_all.sh: $1" >&2
}

# --- What this script starts, it stops -----------------------------------------------------------------------------

servers=()    # stopped at the end, whatever happens
component=''  # the load tool that is running
interrupted=0 # how often somebody wanted to leave

# Starts a program in a session of its own, so that Ctrl-C reaches this script alone, which passes it on in order:
# the tool drains while its target still answers. Should this script be killed, the program is too.
in_own_session() {
  exec setsid setpriv --pdeathsig TERM "$@"
}

stop_all() {
  local pid
  for pid in $component "${servers[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
  done
  for pid in $component "${servers[@]}"; do
    wait "$pid" 2>/dev/null || true
  done
}

# The tool drains at the first signal and leaves at once at the second; what it wrote is judged all the same.
pass_on() {
  interrupted=$((interrupted + 1))
  [[ -n $component ]] || exit 105
  kill -TERM "$component" 2>/dev/null || true
}

# --- Steps -----------------------------------------------------------------------------------------------------------

# Sets `bin`, the folder of the programs.
build() {
  local target_dir profile=release flags=(--release)
  if [[ $quick == 1 ]]; then
    profile=debug flags=()
  fi
  say "building ($profile)"
  cargo build --quiet --locked --workspace --bins "${flags[@]}" || exit 1
  target_dir=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
  bin=$target_dir/$profile
}

# Starts target-server with some flags and sets `url`, where it listens.
start_target() { # flags
  local out kind
  exec {out}< <(in_own_session "$bin/target-server" "$@")
  servers+=($!)
  if ! read -r -t 10 kind url <&"$out"; then
    say "target-server did not say within 10 s where it listens"
    exit 114
  fi
  say "target-server serves $kind at $url"
}

# Runs one load tool to its end, which comes at the latest with its duration and graceful stop.
run_component() { # tool, flags
  ((interrupted == 0)) || return 0
  local code
  say "$*"
  in_own_session "$bin/$1" "${@:2}" --results "$results" --run-id "$run_id" --headless &
  component=$!
  while
    code=0
    wait "$component" || code=$?
    # A signal ends `wait` before the tool has ended.
    kill -0 "$component" 2>/dev/null
  do :; done
  component=''
  # Internal error, bad usage, no target: it has left nothing that could be judged.
  case $code in 1 | 104 | 114) unmeasured=$code ;; esac
}

# Judges the folder; returns the verdict's exit code. What an earlier run left there is no verdict on this one.
judge() {
  local code=0 folder=$results/$run_id
  if ((unmeasured != 0)); then
    say "no verdict: nothing was measured"
    return "$unmeasured"
  fi
  "$bin/aggregate" "$folder" || code=$?
  [[ ! -f $folder/SUMMARY.md ]] || say "report: $folder/SUMMARY.md"
  return "$code"
}

# --- Command line ----------------------------------------------------------------------------------------------------

run_id=$(date -u +%Y%m%dT%H%M%SZ)
results=''
duration=''
rate=''
quick=0
while (($# > 0)); do
  case $1 in
    --run-id | --results | --duration | --rate)
      [[ -n ${2-} ]] || refuse "$1 needs a value"
      name=${1#--}
      printf -v "${name/-/_}" %s "$2"
      shift 2
      ;;
    --quick)
      quick=1
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) refuse "unknown argument $1" ;;
  esac
done
if [[ $quick == 1 ]]; then
  : "${duration:=2s}" "${rate:=400}"
fi
: "${duration:=10s}" "${rate:=2000}"
# A folder that was asked for is meant from where the user stands.
[[ -z $results || $results == /* ]] || results=$PWD/$results
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -n $results && $results != "$PWD/results" ]] || results=results
unmeasured=0 # why a component has measured nothing
trap stop_all EXIT
trap pass_on INT TERM HUP

build
url=${API_URL-}
[[ -n $url ]] || start_target --http 127.0.0.1:0
run_component api-load --url "$url" -r "$rate" -c 32 --max-vus 128 -d "$duration"
judge
