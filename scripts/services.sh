#!/usr/bin/env bash
# A throwaway PostgreSQL and Redis on free ports of 127.0.0.1, with all they write under one temporary folder.
set -uo pipefail

usage() {
  cat <<'END'
Usage: scripts/services.sh start DIR [--only postgres|redis]
       scripts/services.sh stop DIR [--only postgres|redis]
       scripts/services.sh count DIR [--only postgres|redis]
       scripts/services.sh install

start    starts both, or the one that is named, with data under DIR, waits until each answers, and prints a line for each:
           postgres postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE
           redis redis://:PASSWORD@127.0.0.1:PORT/0
           skipped SERVICE REASON
         The servers are those of the machine; as root on Debian and Ubuntu what is missing is installed; else docker
         compose with deploy/compose.yaml. What has been stopped in DIR starts again with its data, port and password.
stop     stops what was started in DIR, whoever started it. What they wrote stays, for DIR is yours to remove.
count    prints what the servers of DIR have counted themselves, a line each: `SERVICE WHAT COUNT`. WHAT is a command of
         Redis (`get`), or the first word of statements of PostgreSQL on tables whose names begin with quintet (`select`).
install  only installs the Debian packages that are missing.

Servers end by themselves after two hours (QUINTET_SERVICES_LIFE, in seconds). PostgreSQL does not run as root; its user
is `postgres` then, who gets leave to pass through DIR. The exit code is 0 also when a service was skipped, 1 when a
server did not stop, 104 for a wrong command line.
END
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
declare -A packages=([postgres]=postgresql [redis]=redis-server)
life=${QUINTET_SERVICES_LIFE:-7200}

say() { echo "services.sh: $*" >&2; }

has() { command -v "$1" >/dev/null; }

# The whole path of a server's program; PostgreSQL's are not in everybody's PATH.
program() { # name
  PATH=$PATH:/usr/sbin:/usr/local/bin command -v "$1" ||
    find /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin -name "$1" 2>/dev/null |
    sort -V | tail -n 1 | grep .
}

is_installed() { # service
  case $1 in
    postgres) program postgres >/dev/null && program initdb >/dev/null ;;
    redis) program redis-server >/dev/null ;;
  esac
}

install() { # services
  local service missing=()
  for service in "$@"; do
    is_installed "$service" || missing+=("${packages[$service]}")
  done
  ((${#missing[@]} > 0)) || return 0
  has apt-get && ((EUID == 0)) && say "installing ${missing[*]}"
  "$here/scripts/install_packages.sh" "${missing[@]}" >&2
}

# --- One server of the machine -----------------------------------------------------------------------------------------

# Runs a command as a user whom PostgreSQL accepts.
as_postgres() {
  if ((EUID == 0)); then
    setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
  else
    "$@"
  fi
}

# The process of a server in `folder`, if it runs: a pid file may be left from a crash, and its number be somebody
# else's by now. Both servers work in their data.
pid_of() { # folder
  local pid=''
  { read -r pid <"$1/data/postmaster.pid" || read -r pid <"$1/pid"; } 2>/dev/null
  [[ -n $pid && /proc/$pid/cwd -ef $1/data ]] && echo "$pid"
}

# A port on which nobody listens. It lies below those that the system hands out by itself.
free_port() {
  local port
  while port=$((RANDOM % 12000 + 20000)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

make_postgres() { # folder
  local initdb
  has setpriv || { ((EUID != 0)) || { echo 'no setpriv (apt-get install util-linux)' && return 1; }; }
  if ((EUID == 0)) && ! id postgres >/dev/null 2>&1; then
    echo 'PostgreSQL does not run as root, and there is no user postgres (useradd --system postgres)'
    return 1
  fi
  ((EUID != 0)) || { chmod o+x "$1/.." && chown postgres "$1" "$1/password"; }
  if ! as_postgres test -x "$1"; then
    echo "the user postgres cannot reach $1 (take a folder whose parents are open to others, as /tmp is)"
    return 1
  fi
  initdb=$(program initdb)
  # In the folder itself: the one we are in may be closed to the user.
  (cd "$1" && as_postgres timeout 60 "$initdb" --pgdata="$1/data" --username=quintet --pwfile="$1/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync) >"$1/log" 2>&1 ||
    { echo "initdb failed: $(tail -n 1 "$1/log")" && return 1; }
}

command_postgres() { # folder, port
  local server library option options=(fsync=off synchronous_commit=off full_page_writes=off max_connections=200
    listen_addresses=127.0.0.1 unix_socket_directories= "port=$2")
  server=$(program postgres)
  library=$("$(program pg_config)" --pkglibdir 2>/dev/null)
  if [[ -e $library/pg_stat_statements.so ]]; then
    options+=(shared_preload_libraries=pg_stat_statements)
    # A server for this one statement, which needs no client.
    (cd "$1" && echo 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' |
      as_postgres timeout 60 "$server" --single -F -j -D "$1/data" postgres) >>"$1/log" 2>&1
  else
    say 'PostgreSQL without pg_stat_statements (postgresql-contrib): counts cannot be compared with its own'
  fi
  ((EUID != 0)) || command+=(setpriv --reuid=postgres --regid=postgres --init-groups --)
  command+=("$server" -D "$1/data")
  for option in "${options[@]}"; do
    command+=(-c "$option")
  done
}

# The last line but one of postmaster.pid; pg_ctl waits the same way.
answers_postgres() { # folder, port
  [[ $(sed -n 8p "$1/data/postmaster.pid" 2>/dev/null) == ready* ]] && (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null
}

url_postgres() { # password, port
  echo "postgres://quintet:$1@127.0.0.1:$2/postgres"
}

make_redis() { # folder
  mkdir -p "$1/data"
}

command_redis() { # folder, port
  # In a file, for the command line is open to all. The data are saved when the server ends, and not before.
  printf '%s\n' 'bind 127.0.0.1' "port $2" "dir $1/data" "pidfile $1/pid" 'daemonize no' 'appendonly no' \
    'save 86400 1000000000' "requirepass $(<"$1/password")" >"$1/redis.conf"
  command+=("$(program redis-server)" "$1/redis.conf")
}

answers_redis() { # folder, port
  local line
  (
    exec 3<>"/dev/tcp/127.0.0.1/$2" && printf 'AUTH %s\r\n' "$(<"$1/password")" >&3 &&
      read -r -t 2 line <&3 && [[ $line == +OK* ]]
  ) 2>/dev/null
}

url_redis() { # password, port
  echo "redis://:$1@127.0.0.1:$2/0"
}

# Starts the machine's own server and says where it is; else why not.
start_own() { # service, folder
  local port try deadline command started=''
  [[ -e $2/data ]] || "make_$1" "$2" || return 1
  for try in 1 2 3 4 5; do
    port=$(cat "$2/port" 2>/dev/null)
    if [[ -z $(pid_of "$2") ]]; then
      port=${port:-$(free_port)}
      command=()
      "command_$1" "$2" "$port"
      # A session of its own: Ctrl-C at the terminal is not for it. `timeout` ends it should nobody else.
      (cd "$2" && exec setsid timeout --foreground --signal=INT --kill-after=10 "$life" "${command[@]}") \
        </dev/null >>"$2/log" 2>&1 &
      started=$!
    fi
    deadline=$((SECONDS + 20))
    while ((SECONDS < deadline)); do
      if "answers_$1" "$2" "$port" && [[ -n $(pid_of "$2") ]]; then
        echo "$port" >"$2/port"
        "url_$1" "$(<"$2/password")" "$port"
        return 0
      fi
      kill -0 "$started" 2>/dev/null || [[ -n $(pid_of "$2") ]] || break
      sleep 0.05
    done
    say "$1 did not start on port $port (attempt $try): $(tail -n 1 "$2/log")"
    stop_own "$2"
    # Somebody else may have taken the port.
    rm -f "$2/port"
  done
  echo "did not start: $(tail -n 1 "$2/log")"
  return 1
}

stop_own() { # folder
  local pid signal
  # In good order, then at once: each with a bound.
  for signal in INT QUIT KILL; do
    pid=$(pid_of "$1") || return 0
    kill "-$signal" "$pid" 2>/dev/null
    for ((i = 0; i < 100; i++)); do
      [[ -n $(pid_of "$1") ]] || return 0
      sleep 0.05
    done
  done
  [[ -z $(pid_of "$1") ]] || { say "process $(pid_of "$1") does not end" && return 1; }
}

# --- Docker ------------------------------------------------------------------------------------------------------------

has_compose() {
  has docker && timeout 10 docker compose version >/dev/null 2>&1 && timeout 10 docker info >/dev/null 2>&1
}

compose() { # folder of the service, command
  local project
  project=quintet-$(cksum <<<"$1" | cut -d ' ' -f 1)
  QUINTET_PASSWORD=$(<"$1/password") timeout --kill-after=10 300 \
    docker compose -p "$project" -f "$here/deploy/compose.yaml" "${@:2}"
}

start_docker() { # service, folder
  local inner=5432 port
  [[ $1 == postgres ]] || inner=6379
  touch "$2/docker"
  if ! compose "$2" up --wait --wait-timeout 120 "$1" >>"$2/log" 2>&1; then
    echo "docker compose failed: $(tail -n 1 "$2/log")"
    return 1
  fi
  port=$(compose "$2" port "$1" "$inner" 2>>"$2/log") || { echo 'docker compose tells no port' && return 1; }
  if [[ $1 == postgres ]]; then
    compose "$2" exec -T postgres psql -qU quintet -d postgres -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' \
      >>"$2/log" 2>&1
  fi
  "url_$1" "$(<"$2/password")" "${port##*:}"
}

# --- The commands --------------------------------------------------------------------------------------------------------

start_service() { # service, folder
  if [[ ! -e $2/password ]]; then
    (umask 077 && mkdir -p "$2" && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$2/password") ||
      { echo "cannot write to $2" && return 1; }
  fi
  if [[ ! -e $2/docker ]] && { is_installed "$1" || install "$1"; }; then
    start_own "$1" "$2"
  elif has_compose; then
    start_docker "$1" "$2"
  else
    echo "is not installed and docker compose does not run (apt-get install ${packages[$1]})"
    return 1
  fi
}

start() {
  local service said
  for service in "${services[@]}"; do
    if said=$(start_service "$service" "$dir/$service"); then
      echo "$service $said"
    else
      echo "skipped $service $said"
    fi
  done
}

stop() {
  local service code=0
  for service in "${services[@]}"; do
    if [[ -e $dir/$service/docker ]]; then
      compose "$dir/$service" down --volumes >>"$dir/$service/log" 2>&1 || code=1
    elif [[ -d $dir/$service ]]; then
      stop_own "$dir/$service" || code=1
    fi
  done
  return "$code"
}

count_postgres() { # folder, port
  local words=(-h 127.0.0.1 -p "$2" -U quintet -d postgres -X -At -F ' ')
  PGPASSWORD=$(<"$1/password") timeout 10 "$(program psql)" "${words[@]}" -c \
    "SELECT 'postgres', lower(split_part(query, ' ', 1)), sum(calls) FROM pg_stat_statements
     WHERE query LIKE '%quintet\\_%' GROUP BY 2 ORDER BY 2"
}

count_redis() { # folder, port
  REDISCLI_AUTH=$(<"$1/password") timeout 10 "$(program redis-cli)" -h 127.0.0.1 -p "$2" INFO commandstats |
    sed -n 's/^cmdstat_\([a-z|_-]*\):calls=\([0-9]*\),.*/redis \1 \2/p'
}

count() {
  local service code=0
  for service in "${services[@]}"; do
    [[ -e $dir/$service/port ]] || continue
    "count_$service" "$dir/$service" "$(<"$dir/$service/port")" || code=1
  done
  return "$code"
}

wrong() {
  say "$1; --help tells more"
  exit 104
}

services=(postgres redis)
case ${1-} in
  --help | -h) usage && exit 0 ;;
  install) (($# == 1)) || wrong 'install takes no argument' ;;
  start | stop | count)
    [[ ${2:--} != -* ]] || wrong "$1 needs a folder"
    case "${*:3}" in
      '') ;;
      '--only postgres' | '--only redis') services=("$4") ;;
      *) wrong "unexpected ${*:3}; expected --only postgres or --only redis" ;;
    esac
    { mkdir -p "$2" && dir=$(cd "$2" && pwd -P); } || wrong "$2 is not a folder that can be made"
    ;;
  *) wrong "unknown command ${1:-(none)}; expected start, stop, count or install" ;;
esac
if [[ $1 == install ]]; then
  install "${services[@]}"
else
  "$1"
fi
