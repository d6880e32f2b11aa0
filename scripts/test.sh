#!/usr/bin/env bash
# Every check there is, in one command. `scripts/test.sh STEP...` runs only those steps; `--help` names them.
# On a bare Debian or Ubuntu machine a Rust toolchain is all that must be there: as root, the rest is installed.
set -uo pipefail

declare -A about=(
  [tools]='what the other steps need is there'
  [fmt]='the code is formatted'
  [clippy]='no lint complains'
  [layers]='dependencies point one way'
  [licences]='licences are allowed, sources are crates.io'
  [shell]='shellcheck has nothing to say'
  [build]='every program builds'
  [test]='every test passes'
  [doctest]='examples in the documentation run'
  [doc]='the documentation builds without a warning'
  [smoke]='run_all.sh --quick passes twice, and counts what its targets count'
  [systems]='run_all.sh loads all of each of the five systems, as their contracts have it'
)
order=(tools fmt clippy layers licences shell build test doctest doc smoke systems)

usage() {
  echo 'Usage: scripts/test.sh [STEP...]'
  echo
  echo 'Runs all steps, or those that are named:'
  for step in "${order[@]}"; do
    printf '  %-10s %s\n' "$step" "${about[$step]}"
  done
  echo
  echo 'The exit code is 0 when every step passed, 1 when one failed, 104 for an unknown step.'
}

# Runs a command for at most so many seconds. It has a process group of its own, which ends as a whole.
within() { # seconds, command
  local code=0
  timeout --kill-after=10 "$1" "${@:2}" &
  running=$!
  wait "$running" || code=$?
  running=''
  if ((code == 124)); then
    echo "test.sh: not done after $1 s: ${*:2}" >&2
  fi
  return "$code"
}

stop() {
  echo 'test.sh: stopped by a signal' >&2
  if [[ -n $running ]]; then
    kill -TERM "$running" 2>/dev/null
    wait "$running"
  fi
  exit 105
}

has() {
  command -v "$1" >/dev/null
}

# --- Steps -----------------------------------------------------------------------------------------------------------

# Debian packages of what is missing.
missing_packages() {
  has cc || echo build-essential
  has pkg-config || echo pkg-config
  has shellcheck || echo shellcheck
  # The tests signal processes and pin them to cores.
  has pgrep || echo procps
  has taskset || echo util-linux
  # They give a run a network of its own, and take it away.
  PATH=$PATH:/usr/sbin has ip || echo iproute2
  # What others get is compared with ours.
  has curl || echo curl
  # A server that we did not write. Its folder is not in everybody's PATH.
  PATH=$PATH:/usr/sbin has nginx || echo nginx-light
  # Two more, for WebSockets.
  /usr/bin/python3 -c 'import websockets' 2>/dev/null || echo python3-websockets
  [[ -e /usr/share/nodejs/ws ]] || echo node-ws
  # For grpcio and k6, another one.
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

step_tools() {
  local missing component
  if ! has cargo; then
    echo "test.sh: no cargo; install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later: https://rustup.rs" >&2
    return 1
  fi
  for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    echo "test.sh: adding $component to the toolchain"
    if ! has rustup || ! within 300 rustup component add "$component"; then
      echo "test.sh: no $component; install it (rustup component add $component)" >&2
      return 1
    fi
  done
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} > 0)); then
    ((EUID != 0)) || echo "test.sh: installing ${missing[*]}"
    within 1000 scripts/install_packages.sh "${missing[@]}" || return 1
  fi
  # Without them the tests of db-load are skipped, and say so.
  within 1000 scripts/services.sh install || echo 'test.sh: PostgreSQL or Redis is missing; tests that need them are skipped'
  # The same with those of grpc-load.
  within 300 scripts/python_grpc.sh || echo 'test.sh: grpcio is missing; tests that need it are skipped'
  # And with those of api-load.
  within 300 scripts/python_k6.sh || echo 'test.sh: k6 is missing; tests that need it are skipped'
  # And with what judges the pages of --live.
  within 300 scripts/prometheus.sh || echo 'test.sh: promtool is missing; tests that need it are skipped'
}

step_fmt() { within 120 cargo fmt --all --check; }

step_clippy() { within 1800 cargo clippy --locked --workspace --all-targets -- -D warnings; }

step_layers() { within 300 scripts/check_layers.sh && within 300 scripts/check_layers.sh --self-test; }

step_licences() {
  within 120 scripts/check_licences.sh && within 120 scripts/check_licences.sh --self-test || return 1
  if has cargo-deny; then
    within 300 cargo deny --locked --all-features check --hide-inclusion-graph licenses bans sources
  else
    echo 'test.sh: cargo-deny is not installed; its part in bans is skipped (cargo install --locked cargo-deny)'
  fi
}

step_shell() { within 120 shellcheck -x scripts/*.sh scripts/lib/*.sh scripts/peers/*.sh scripts/peers/sections/*.sh .ci/run; }

step_build() { within 1800 cargo build --locked --workspace --bins; }

step_test() {
  if has cargo-nextest; then
    within 2700 cargo nextest run --locked --workspace
  else
    within 2700 cargo test --locked --workspace --lib --bins --tests --examples
  fi
}

step_doctest() { within 900 cargo test --locked --workspace --doc; }

step_doc() { RUSTDOCFLAGS='-D warnings' within 900 cargo doc --locked --workspace --no-deps; }

# Takes a sweep again that is INVALID while a witness saw that the machine was busy. A machine that stays busy lets
# nothing be said about the verdict; what was counted is checked all the same.
quick_sweep() { # run, flags of run_all.sh
  local attempt code results
  for attempt in 1 2 3; do
    code=0 results=$scratch/$attempt
    within 300 "$programs/witness" scripts/run_all.sh --quick --run-id "$1" --results "$results" "${@:2}" || code=$?
    ((code == 75)) || break
  done
  sweeps+=("$results/$1")
  ((code != 75)) || echo "test.sh: sweep $1: not judged, the machine was busy in $attempt of $attempt attempts"
  ((code == 0 || code == 75))
}

# Twice, for what the first one leaves behind must not be in the way of the second.
step_smoke() {
  local sweeps=()
  within 900 cargo build --quiet --locked -p tool-tests --bins || return 1
  quick_sweep one && quick_sweep two && within 300 "$programs/check_sweep" "${sweeps[@]}"
}

# Each task of each class of each component once, against target-server as the system itself.
step_systems() {
  local system sweeps=()
  within 900 cargo build --quiet --locked -p tool-tests --bins || return 1
  for system in novacron nova-torch aragora platform megaagent; do
    quick_sweep "$system" --suite "$system" --profile contract || return 1
  done
  within 60 "$programs/check_systems" "${sweeps[@]}"
}

# --- One after the other ---------------------------------------------------------------------------------------------

for step in "$@"; do
  case $step in
    --help | -h)
      usage
      exit 0
      ;;
  esac
  if [[ -z ${about[$step]-} ]]; then
    echo "test.sh: unknown step $step; expected some of: ${order[*]}" >&2
    exit 104
  fi
done
(($# == 0)) || order=("$@")

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
programs=${CARGO_TARGET_DIR:-target}/debug
running=''
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap stop INT TERM HUP
table=''
failed=()
for step in "${order[@]}"; do
  printf '\n=== %s: %s\n' "$step" "${about[$step]}"
  began=$SECONDS
  if "step_$step"; then
    outcome=ok
  else
    outcome=FAILED
    failed+=("$step")
  fi
  table+=$(printf '%-10s %6s  %4d s  %s' "$step" "$outcome" $((SECONDS - began)) "${about[$step]}")$'\n'
done

printf '\n%s\n' "$table"
if ((${#failed[@]} > 0)); then
  echo "test.sh: FAILED: ${failed[*]} ($((${#order[@]} - ${#failed[@]})) steps passed, ${#failed[@]} failed)"
  exit 1
fi
echo "test.sh: ok: ${#order[@]} steps passed, 0 failed"
