#!/usr/bin/env bash
# Unpacks Prometheus and promtool under target/, from Debian's package, for the tests that let promtool judge what --live serves.
# Nothing is installed, and no service is started. apt-get must be there, and Debian's packages must be reached.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly home=$PWD/target/prometheus

if [[ -x $home/usr/bin/promtool ]]; then
  exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fetch() {
  (cd "$scratch" && timeout --kill-after=10 200 apt-get -q download prometheus)
}
# Without lists of packages, or with old ones, nothing is found.
fetch 2>/dev/null || { timeout --kill-after=10 100 apt-get -q update && fetch; }
rm -rf "$home"
dpkg-deb --extract "$scratch"/prometheus_*.deb "$home"
