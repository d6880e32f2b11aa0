#!/usr/bin/env bash
# Installs Debian packages and starts nothing: `scripts/install_packages.sh PACKAGE...`, as root.
set -uo pipefail

if (($# == 0)) || [[ $1 == -* ]]; then
  echo 'Usage: scripts/install_packages.sh PACKAGE...' >&2
  exit 104
fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
  echo "install_packages.sh: missing: $*; as root on Debian or Ubuntu: apt-get install $*" >&2
  exit 1
fi

# Debian's way to say that a package is to be installed and its service not started, and that PostgreSQL is to make no
# cluster of its own. Both are taken back at the end.
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/quintet.conf
held=()
trap 'rm -f "${held[@]}"' EXIT
trap 'exit 105' INT TERM HUP
if [[ ! -e $policy ]]; then
  held+=("$policy")
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
if [[ $* == *postgresql* ]]; then
  held+=("$clusters")
  mkdir -p "${clusters%/*}"
  echo 'create_main_cluster = false' >"$clusters"
fi

export DEBIAN_FRONTEND=noninteractive
timeout --kill-after=10 300 apt-get update -q &&
  timeout --kill-after=10 600 apt-get install -q -y --no-install-recommends "$@"
