#!/usr/bin/env bash
# Builds the suite, starts what it is to load (or takes what the environment names), runs every component, judges the
# results, and leaves with the verdict's exit code. Whatever it started is stopped on every way out.
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/run_all.sh [--suite S] [--profile P[,P...]] [--environment E] [--scale-time X] [--scale-users X]
                          [--var NAME=VALUE] [--live PORT] [--run-id ID] [--results DIR] [--require-all] [--attempts N]
                          [--quick] [--baseline RUN|NAME]

  --suite S          a folder of suites/, or a path [default: reference]; `aggregate suites` lists them
  --profile P[,P...] which loads of the suite; several have one verdict [default: steady of reference, else smoke]
  --environment E    where the targets are, of those that the suite knows [default: local of reference; else what the
                     variables below say, or servers that are started]
  --var NAME=VALUE   a value for {{NAME}} of the suite, also -e; repeatable (not with reference)
  --scale-time X     all times of the profile by this, and
  --scale-users X    all users and rates by this: a rehearsal of the same shape (not with reference)
  --live PORT        figures of each component over HTTP while it runs (docs/live.md): api at PORT, ws at PORT + 1, then dwcp,
                     db-postgres, db-redis, grpc
  --run-id ID        name of the run's folder [default: the time in UTC]
  --results DIR      folder of the results folders [default: results, where `latest` points at the last run]
  --require-all      a component that cannot run is a failure, not a warning
  --attempts N       run a component again whose run is INVALID, so often in all: for machines with neighbours; what is
                     put aside is kept in attempts/ of the run's folder [default: 1]
  --baseline B       compare with an earlier run: its folder, or the name that `aggregate baseline save` gave it; what is
                     worse by more than noise is a regression (112)
  --quick            a rehearsal on the development build; the profile is smoke unless it is given
  --help             this text

Environment, which wins over --environment:
  API_URL            HTTP target of api-load, and of dwcp-load if DWCP_WS_URL is set too
  WS_URL             WebSocket target
  DWCP_WS_URL        event stream of the migrations
  GRPC_URL           gRPC target
  DATABASE_URL       PostgreSQL
  REDIS_URL          Redis
  API_TOKEN          bearer token of HTTP, WebSocket and gRPC targets
Without any of these URLs, target-server and a throwaway PostgreSQL and Redis are started; for a suite of one of the five
systems target-server is that system, by its contract (docs/systems.md). With some, the components that have none are
skipped, and listed.

The exit code is aggregate's (0 pass, 99 a threshold failed, 111 invalid; `aggregate --help` lists them all), or that
of a component that could not run: 104 bad usage, 114 no target.
END
}

refuse() {
  echo "run_all.sh: $1" >&2
  exit 104
}

say() {
  echo "run_all.sh: $1" >&2
}

# --- What this script starts, it stops -----------------------------------------------------------------------------

scratch=''    # folder of what was started
servers=()    # stopped at the end, whatever happens
declare -A running=() # the load tools that are running: their components by process
interrupted=0 # how often somebody wanted to leave

# Starts a program in a session of its own, so that Ctrl-C reaches this script alone, which passes it on in order:
# the tool drains while its target still answers. Should this script be killed, the program is too.
in_own_session() {
  exec setsid setpriv --pdeathsig TERM "$@"
}

stop_all() {
  local pid
  for pid in "${!running[@]}" "${servers[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
  done
  for pid in "${!running[@]}" "${servers[@]}"; do
    wait "$pid" 2>/dev/null || true
  done
  if [[ -n $scratch ]]; then
    scripts/services.sh stop "$scratch" || true
    rm -rf "$scratch"
  fi
}

# The tool drains at the first signal and leaves at once at the second; what it wrote is judged all the same.
pass_on() {
  interrupted=$((interrupted + 1))
  ((${#running[@]} > 0)) || exit 105
  kill -TERM "${!running[@]}" 2>/dev/null || true
}

# --- Steps -----------------------------------------------------------------------------------------------------------

# shellcheck source=scripts/lib/targets.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/targets.sh"

# Sets `bin`, the folder of the programs.
build() {
  local target_dir profile=release flags=(--release)
  if ! command -v cargo >/dev/null; then
    say 'no cargo: install Rust, https://rustup.rs'
    exit 1
  fi
  if ! command -v cc >/dev/null; then
    say 'no C compiler: installing build-essential'
    scripts/install_packages.sh build-essential || exit 1
  fi
  if [[ $quick == 1 ]]; then
    profile=debug flags=()
  fi
  say "building ($profile)"
  cargo build --quiet --locked --bins "${flags[@]}" \
    -p aggregate -p target-server -p api-load -p ws-load -p dwcp-load -p db-load -p grpc-load || exit 1
  target_dir=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
  bin=$target_dir/$profile
}

# Sets `watched`, the flags by which a component of this kind can be watched. Of several of one kind that run together, the
# next ones are six ports further.
take_port() { # kind of target
  local port=$live kind
  for kind in api ws dwcp db-postgres db-redis grpc; do
    [[ $kind != "$1" ]] || break
    port=$((port + 1))
  done
  while [[ " ${ports[*]} " == *" $port "* ]]; do
    port=$((port + 6))
  done
  ports+=("$port")
  watched=(--live "$port")
}

# Starts one component, unless it has no target.
start_component() { # component, kind of target, tool, flags
  local name=$1 target=${where[$2]-}
  if [[ -z $target && $placed == 0 ]]; then
    local reason=${absent[$2]-it has no target}
    say "$name is skipped: $reason"
    # What a server said last may hold anything; in JSON these three must not stand by themselves.
    reason=${reason//\\/\\\\} reason=${reason//\"/\\\"} reason=${reason//[[:cntrl:]]/ }
    printf '{"component":"%s","reason":"%s"}\n' "$name" "$reason" >"$folder/$name.skipped.json"
    return 0
  fi
  local watched=()
  [[ -z $live ]] || take_port "$2"
  say "$name: ${*:3}"
  # In the environment, for the command line is open to all and a URL may hold a password.
  if [[ $placed == 0 ]]; then
    case $2 in
      api) local -x API_URL=$target ;;
      ws) local -x WS_URL=$target ;;
      dwcp)
        local -x API_URL=$target
        [[ -z ${DWCP_WS_URL-} ]] || export DWCP_WS_URL
        ;;
      db-postgres) local -x DATABASE_URL=$target ;;
      db-redis) local -x REDIS_URL=$target ;;
      grpc) local -x GRPC_URL=$target ;;
      *) refuse "$suite: component $name; expected api, ws, dwcp, db-postgres, db-redis or grpc" ;;
    esac
  fi
  in_own_session "$bin/$3" "${@:4}" "${watched[@]}" --results "$(dirname "$folder")" --run-id "$(basename "$folder")" --headless &
  running[$!]=$name
}

# Waits for all that runs, which ends at the latest with its duration and graceful stop. Adds to `codes`.
wait_for_components() {
  local pid code
  for pid in "${!running[@]}"; do
    while
      code=0
      wait "$pid" || code=$?
      # A signal ends `wait` before the tool has ended.
      kill -0 "$pid" 2>/dev/null
    do :; done
    codes[${running[$pid]}]=$code
    unset "running[$pid]"
  done
}

# Runs components together, and all of them again while the figures of one are invalid.
run_turn() { # lines of the plan
  local attempt line words name aside
  local -A codes=()
  for ((attempt = 1; ; attempt++)); do
    codes=() ports=()
    for line in "$@"; do
      ((interrupted == 0)) || break
      IFS=$'\t' read -ra words <<<"$line"
      start_component "${words[@]:1}"
    done
    wait_for_components
    if [[ " ${codes[*]} " != *' 111 '* ]] || ((attempt == attempts || interrupted != 0)); then
      break
    fi
    aside=$results/$run_id/attempts/${folder##*/}-$attempt
    mkdir -p "$aside"
    for name in "${!codes[@]}"; do
      ((codes[$name] != 111)) || say "$name is INVALID: attempt $attempt of $attempts is put aside in $aside"
      mv "$folder/$name"[._]* "$aside"
    done
  done
  for name in "${!codes[@]}"; do
    # Internal error, bad usage, no target: it has left nothing that could be judged.
    case ${codes[$name]} in
      1 | 104 | 114) unmeasured=${codes[$name]} && say "$name measured nothing: exit code $unmeasured" ;;
    esac
  done
}

# Prints what runs, a line a component: turn, component, kind of target, tool and flags, with tabs between them.
plan_of() { # profile
  if [[ $planned == 1 ]]; then
    awk -v OFS='\t' 'NF && !/^#/ { $1 = NR OFS $1 OFS $1; print }' "$suite/profiles/$1.plan"
  else
    "$bin/aggregate" components "$suite" --profile "$1" "${passed[@]}"
  fi
}

# Runs the components of one profile into `folder`.
run_profile() { # lines of the plan
  local line turn='' together=()
  mkdir -p "$folder"
  for line in "$@"; do
    if [[ ${line%%$'\t'*} != "$turn" ]]; then
      run_turn "${together[@]}"
      turn=${line%%$'\t'*} together=()
    fi
    together+=("$line")
  done
  run_turn "${together[@]}"
}

# Judges the folder; returns the verdict's exit code. What an earlier run left there is no verdict on this one.
judge() {
  local code=0 flags=() folder=$results/$run_id
  if ((unmeasured != 0)); then
    say "no verdict: a component measured nothing"
    return "$unmeasured"
  fi
  [[ ! -f $suite/targets.toml ]] || flags+=(--targets "$suite/targets.toml")
  [[ $require_all == 0 ]] || flags+=(--require-all)
  [[ -z $baseline ]] || flags+=(--baseline "$baseline")
  "$bin/aggregate" "$folder" "${flags[@]}" || code=$?
  [[ ! -f $folder/SUMMARY.md ]] || say "report: $folder/SUMMARY.md"
  return "$code"
}

# --- Command line ----------------------------------------------------------------------------------------------------

# What can be chosen in a folder, for people.
choices() { # folder, extension
  find "$1" -mindepth 1 -maxdepth 1 -name "*$2" -printf '%f\n' 2>/dev/null | sed "s/$2\$//" | sort | paste -sd ' '
}

run_id=$(date -u +%Y%m%dT%H%M%SZ)
results=''
suite=reference
profile=''
environment=''
passed=() # flags for every component of a suite
live=''
ports=() # those of the components that run together
quick=0
require_all=0
attempts=1
baseline=''
while (($# > 0)); do
  case $1 in
    --suite | --profile | --environment | --live | --run-id | --results | --attempts | --baseline)
      [[ -n ${2-} ]] || refuse "$1 needs a value; --help lists the flags"
      name=${1#--}
      printf -v "${name/-/_}" %s "$2"
      shift 2
      ;;
    --scale-time | --scale-users)
      [[ ${2-} =~ ^[0-9]*\.?[0-9]+$ ]] || refuse "$1 ${2:-(nothing)}; expected a number like 0.1"
      passed+=("$1" "$2")
      shift 2
      ;;
    -e | --var)
      [[ ${2-} == ?*=* ]] || refuse "$1 ${2:-(nothing)}; expected NAME=VALUE"
      passed+=(--var "$2")
      shift 2
      ;;
    --quick)
      quick=1
      shift
      ;;
    --require-all)
      require_all=1
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) refuse "unknown argument $1; --help lists the flags" ;;
  esac
done
[[ $run_id =~ ^[A-Za-z0-9._-]+$ && $run_id != . && $run_id != .. ]] ||
  refuse "--run-id $run_id; expected letters, digits, '.', '_' and '-'"
[[ -z $live || ($live =~ ^[1-9][0-9]{0,4}$ && $live -le 65500) ]] || refuse "--live $live; expected a port, 1 to 65500"
[[ $attempts =~ ^[1-9]$ ]] || refuse "--attempts $attempts; expected 1 to 9"
# Folders that were asked for are meant from where the user stands.
[[ -z $results || $results == /* ]] || results=$PWD/$results
[[ $suite != */* || $suite == /* ]] || suite=$PWD/$suite
[[ ! -e $baseline || $baseline == /* ]] || baseline=$PWD/$baseline
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -n $results && $results != "$PWD/results" ]] || results=results
[[ $suite == */* ]] || suite=suites/$suite
# A suite is its tools' files, whose components aggregate knows; reference is plans, with the flags of each tool.
planned=0
[[ ! -d $suite/profiles ]] || planned=1
[[ $planned == 1 || -n $(find "$suite" -maxdepth 1 -name '*.toml' 2>/dev/null) ]] ||
  refuse "no suite $suite; expected a folder with suite.toml or profiles/, or one of: $(choices suites '')"
if [[ -z $profile ]]; then
  profile=smoke
  [[ $planned == 0 || $quick == 1 ]] || profile=steady
fi
IFS=, read -ra profiles <<<"$profile"
if [[ $planned == 1 ]]; then
  ((${#passed[@]} == 0)) || refuse "${passed[0]} is for suites of users; $suite has plans with flags"
  for name in "${profiles[@]}"; do
    [[ -f $suite/profiles/$name.plan ]] ||
      refuse "no profile ${name:-(empty)} in $suite; expected one of: $(choices "$suite/profiles" .plan)"
  done
  environment=${environment:-local}
  [[ -f $suite/environments/$environment.env ]] ||
    refuse "no environment $environment in $suite; expected one of: $(choices "$suite/environments" .env)"
fi
placed=0 # whether the suite itself says where its targets are
if [[ $planned == 0 && -n $environment ]]; then
  placed=1
  passed+=(--environment "$environment")
fi
[[ ! -e $results/$run_id ]] || refuse "$results/$run_id is there already; choose another --run-id, or remove it"
unmeasured=0 # why a component has measured nothing
trap stop_all EXIT
trap pass_on INT TERM HUP

[[ $planned == 0 ]] || read_environment "$suite/environments/$environment.env"
build
plans=()
for name in "${profiles[@]}"; do
  plans+=("$(plan_of "$name")") || exit 104
done
if [[ $placed == 0 ]] && ! use_given; then
  scratch=$(mktemp -d)
  start_targets
fi
for at in "${!profiles[@]}"; do
  folder=$results/$run_id
  if ((${#profiles[@]} > 1)); then
    say "profile ${profiles[at]}"
    folder+=/${profiles[at]}
  fi
  mapfile -t lines <<<"${plans[at]}"
  run_profile "${lines[@]}"
done
[[ -z $scratch ]] || keep_truth
if [[ $results == results ]]; then
  ln -sfn "$run_id" results/latest
fi
judge
