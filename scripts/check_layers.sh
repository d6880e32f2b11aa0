#!/usr/bin/env bash
# Do dependencies point one way? Compares the edges of the workspace with the tables below, which are the picture in
# ARCHITECTURE.md. `--self-test` proves on a made-up workspace that every kind of forbidden edge is found.
set -euo pipefail

# What each crate may depend on inside the workspace.
allowed() { # crate
  case $1 in
    load-report | load-suite | load-wire | load-import) ;;
    load-core | aggregate) echo load-report load-suite ;;
    target-server) echo load-wire ;;
    tool-tests) echo load-report ;;
    load-net) echo load-core load-report load-suite ;;
    api-load) echo load-core load-import load-net load-report load-suite ;;
    ws-load | db-load) echo load-core load-net load-report load-suite ;;
    dwcp-load | grpc-load) echo load-core load-net load-report load-suite load-wire ;;
    *) return 1 ;;
  esac
}

# Whose tests may start the target server besides.
is_for_tests() { # kinds of dependencies, from, to
  case "$1 $2 $3" in
    'dev '*-load' target-server' | 'dev '*-load' tool-tests' | 'dev load-core target-server' | 'dev aggregate target-server' | 'dev load-import load-suite') ;;
    *) return 1 ;;
  esac
}

# Crates from outside that must not be reached, not even through others.
banned() { # crate
  case $1 in
    load-report | load-suite | load-wire | load-import) echo clap mio tokio ;; # pure: no command line, no runtime
    aggregate) echo mio tokio ;;                                 # reads files, needs no network
  esac
}

mode=--locked

tree() {
  cargo tree "$mode" --target all --all-features --no-dedupe --format '{p}' "$@"
}

# Edges inside the workspace, one `from to` a line; every crate also has a line of its own.
edges() { # kinds of dependencies
  tree --workspace --depth 1 --edges "$1" --prefix depth | awk -v here="($(pwd -P)/" '
    /^0/ { from = substr($1, 2); print from }
    /^1/ && index($0, here) { print from, substr($1, 2) }'
}

complain() {
  echo "check_layers: $1" >&2
  broken=1
}

check_edges() { # kinds of dependencies
  local list from to
  # What cargo refuses (a cycle, say) must not look like a workspace without edges.
  list=$(edges "$1") || complain "cargo cannot tell the edges"
  [[ $1 == dev || $list == *' '* ]] || complain "no edges at all, which cannot be"
  while read -r from to; do
    if [[ -z $to ]]; then
      allowed "$from" >/dev/null ||
        complain "$from has no layer: give it one in scripts/check_layers.sh and in ARCHITECTURE.md"
    elif ! { [[ " $(allowed "$from") " == *" $to "* ]] || is_for_tests "$1" "$from" "$to"; }; then
      complain "forbidden edge $from -> $to ($1); inside the workspace $from may use: $(allowed "$from")"
    fi
  done <<<"$list"
}

check_banned() { # crate
  local name reached
  [[ -n $(banned "$1") ]] || return 0
  reached=$(tree --package "$1" --edges normal,build --prefix none) || complain "cargo cannot tell what $1 reaches"
  for name in $(banned "$1"); do
    if grep -q "^$name v" <<<"$reached"; then
      complain "$1 reaches $name, which it must not; cargo tree -p $1 -i $name shows how"
    fi
  done
}

# Checks the workspace in the current folder.
check() {
  local crate
  broken=0
  check_edges normal,build
  check_edges dev
  for crate in $(edges normal | awk 'NF == 1'); do
    check_banned "$crate"
  done
  return "$broken"
}

# A crate with nothing but dependencies.
write_crate() { # folder, dependencies by path
  local path
  mkdir -p "$1/src"
  touch "$1/src/lib.rs"
  {
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\n' "${1##*/}"
    for path in "${@:2}"; do
      echo "${path##*/} = { path = \"$path\" }"
    done
  } >"$1/Cargo.toml"
}

# A workspace in the current folder with every crate of the tables and every edge that they allow.
write_workspace() {
  local crate below
  printf '[workspace]\nresolver = "3"\nmembers = ["*"]\n' >Cargo.toml
  for crate in load-{report,suite,wire,import,core,net} tool-tests aggregate target-server {api,ws,dwcp,db,grpc}-load; do
    read -ra below <<<"$(allowed "$crate")"
    write_crate "$crate" "${below[@]/#/../}"
  done
}

# With one dependency more, the check says `said`, or passes when that is empty.
expect() { # crate, table, path of the dependency, said
  local manifest=$1/Cargo.toml before output code=0
  before=$(<"$manifest")
  # A table of its own takes a dependency whatever other tables there are.
  printf '\n[%s.%s]\npath = "%s"\n' "$2" "${3##*/}" "$3" >>"$manifest"
  output=$(check 2>&1) || code=$?
  echo "$before" >"$manifest"
  if [[ -z $4 && $code == 0 || -n $4 && $code != 0 && $output == *"$4"* ]]; then
    passed=$((passed + 1))
  else
    echo "check_layers: self-test: $1 -> $3 ($2): expected \"${4:-no complaint}\", got $code and: $output" >&2
    failed=$((failed + 1))
  fi
}

self_test() {
  local scratch passed=0 failed=0 crate
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now is meant
  trap "rm -rf '$scratch'" EXIT
  trap 'exit 105' INT TERM HUP
  write_crate "$scratch/outside/tokio"
  write_crate "$scratch/outside/clap"
  write_crate "$scratch/outside/between" ../tokio
  mkdir "$scratch/workspace"
  cd "$scratch/workspace"
  write_workspace
  mode=--offline

  expect api-load dev-dependencies ../target-server ''
  expect load-core dependencies ../../outside/tokio ''
  for crate in load-report load-suite; do
    expect target-server dependencies "../$crate" "forbidden edge target-server -> $crate (normal"
  done
  expect target-server dependencies ../load-core 'forbidden edge target-server -> load-core (normal'
  expect target-server dev-dependencies ../load-core 'forbidden edge target-server -> load-core (dev'
  expect target-server build-dependencies ../load-core 'forbidden edge target-server -> load-core (normal'
  expect aggregate dependencies ../load-core 'forbidden edge aggregate -> load-core (normal'
  expect aggregate dev-dependencies ../load-core 'forbidden edge aggregate -> load-core (dev'
  expect api-load dependencies ../ws-load 'forbidden edge api-load -> ws-load (normal'
  expect api-load dev-dependencies ../ws-load 'forbidden edge api-load -> ws-load (dev'
  expect api-load dependencies ../target-server 'forbidden edge api-load -> target-server (normal'
  expect api-load dependencies ../load-wire 'forbidden edge api-load -> load-wire (normal'
  expect api-load dev-dependencies ../tool-tests ''
  expect api-load dependencies ../tool-tests 'forbidden edge api-load -> tool-tests (normal'
  expect load-core dependencies ../load-net 'cargo cannot tell the edges'
  expect load-report dependencies ../load-suite 'forbidden edge load-report -> load-suite (normal'
  expect load-report dev-dependencies ../target-server 'forbidden edge load-report -> target-server (dev'
  expect load-suite dependencies ../load-core 'cargo cannot tell the edges'
  expect load-suite dependencies ../../outside/clap 'load-suite reaches clap'
  expect load-report dependencies ../../outside/between 'load-report reaches tokio'
  expect aggregate dependencies ../../outside/tokio 'aggregate reaches tokio'
  write_crate newcomer ../load-core
  expect newcomer dependencies ../load-report 'newcomer has no layer'

  echo "check_layers: self-test: $passed passed, $failed failed"
  ((failed == 0))
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1-} in
  '') check && echo 'check_layers: dependencies point one way' ;;
  --self-test) self_test ;;
  *)
    echo "check_layers: unknown argument $1; expected nothing or --self-test" >&2
    exit 104
    ;;
esac
