#!/usr/bin/env bash
# Has every crate in the tree a licence that deny.toml allows, and does it come from crates.io? This is the part of
# cargo-deny that needs nothing installed. `--self-test` proves that the rules bite.
set -euo pipefail

# The `allow` list of deny.toml, one licence a line.
allow_list() {
  awk '/^allow = \[/ { inside = 1; next } /^\]/ { inside = 0 } inside' deny.toml | sed -n 's/^ *"\([^"]*\)".*/\1/p'
}

# Whether licences of the list meet an SPDX expression: it becomes one of 0, 1, || and &&, which bind alike.
is_allowed() { # expression, list
  local words word formula=''
  # `A/B` is the old way to write `A OR B`.
  read -ra words <<<"$(sed 's|/| OR |g; s| WITH |+|g; s|[()]| & |g' <<<"$1")"
  for word in "${words[@]}"; do
    case $word in
      OR) formula+=' ||' ;;
      AND) formula+=' &&' ;;
      '(' | ')') formula+=" $word" ;;
      *) formula+=" $(grep -cxF -- "$word" <<<"$2")" ;;
    esac
  done
  [[ -n $formula ]] && ((formula))
}

# Reads `crate|expression` lines and says which are not allowed.
check_licences() { # list
  local crate expression broken=0
  while IFS='|' read -r crate expression; do
    if ! is_allowed "$expression" "$1"; then
      echo "check_licences: $crate: \"$expression\" is not allowed; deny.toml lists what is" >&2
      broken=1
    fi
  done
  return "$broken"
}

# Says which packages of a lock file come from elsewhere than crates.io; those of the workspace have no source.
check_sources() { # lock file
  local strange
  strange=$(grep '^source = ' "$1" | grep -vxF 'source = "registry+https://github.com/rust-lang/crates.io-index"') || return 0
  echo "check_licences: not from crates.io: $strange" >&2
  return 1
}

check() {
  local crates broken=0
  crates=$(cargo tree --locked --workspace --all-features --edges normal,build,dev --prefix none --format '{p}|{l}|')
  # A crate that was shown before has a mark behind the last bar; blank lines separate the roots.
  cut -d'|' -f1,2 <<<"$crates" | grep . | sort -u | check_licences "$(allow_list)" || broken=1
  check_sources Cargo.lock || broken=1
  return "$broken"
}

self_test() {
  local list=$'MIT\nApache-2.0\nISC' expression failed=0
  for expression in MIT 'MIT OR GPL-3.0' 'GPL-3.0/MIT' 'Apache-2.0 AND ISC' '(MIT OR GPL-3.0) AND ISC' 'GPL-3.0 OR MIT AND ISC'; do
    is_allowed "$expression" "$list" || { echo "check_licences: self-test: refused: $expression" >&2 && failed=1; }
  done
  for expression in '' GPL-3.0 'MIT AND GPL-3.0' '(MIT OR ISC) AND GPL-3.0' 'GPL-3.0 WITH MIT' MIT-0 'M.T'; do
    is_allowed "$expression" "$list" && { echo "check_licences: self-test: let through: $expression" >&2 && failed=1; }
  done
  check_licences "$list" <<<'evil v1.0.0|GPL-3.0' 2>/dev/null && { echo 'check_licences: self-test: a crate went unseen' >&2 && failed=1; }
  check_sources <(echo 'source = "git+https://example.org/x"') 2>/dev/null && { echo 'check_licences: self-test: a source went unseen' >&2 && failed=1; }
  return "$failed"
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1-} in
  '') check && echo "check_licences: every licence is allowed, every source is crates.io" ;;
  --self-test) self_test && echo 'check_licences: self-test passed' ;;
  *)
    echo "check_licences: unknown argument $1; expected nothing or --self-test" >&2
    exit 104
    ;;
esac
