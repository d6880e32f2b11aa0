#!/usr/bin/env bash
# Installs Python's grpcio under target/, for the tests that load a server that we did not write. The system's Python
# is left alone; python3 with venv must be there (Debian: python3-venv), and PyPI must be reachable.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly home=target/python-grpc
readonly packages=(grpcio==1.85.1 grpcio-reflection==1.85.1)

if [[ $("$home/bin/python" -c 'import grpc, grpc_reflection; print(grpc.__version__)' 2>/dev/null) == "${packages[0]#*==}" ]]; then
  exit 0
fi
rm -rf "$home"
python3 -m venv "$home"
"$home/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
