#!/usr/bin/env bash
# Does each row of docs/systems.md that says `runs` run? Runs the rows' commands, one after the other.
set -uo pipefail

usage() {
  cat <<'END'
Usage: scripts/promises.sh [--limit SECONDS] [ID...]

Runs the command of each row of docs/systems.md whose state is `runs`, or of those rows whose ID begins with one of ID
(NC, AR-4, PL-07), from the root of the project, with the tools of the PATH. Targets are named by API_URL, WS_URL,
GRPC_URL, REDIS_URL, DATABASE_URL and DWCP_WS_URL. Without API_URL each system is started for its rows: target-server by
its contract (--strict), and a throwaway PostgreSQL and Redis.

  --limit SECONDS   so long may a command take [default: 120]
  --help            this text

A row that does not end with 0 is printed with the end of what it said. The exit code is 0 when all rows ran, 1 when one
did not, 104 for a wrong command line.
END
}

refuse() {
  echo "promises.sh: $1" >&2
  exit 104
}

limit=120
ids=()
while (($# > 0)); do
  case $1 in
    --limit)
      [[ ${2-} =~ ^[1-9][0-9]{0,3}$ ]] || refuse "--limit ${2:-(nothing)}; expected seconds, 1 to 9999"
      limit=$2
      shift 2
      ;;
    --help | -h) usage && exit 0 ;;
    [A-Z][A-Z]*) ids+=("$1") && shift ;;
    *) refuse "unknown argument $1; expected IDs like NC or AR-40 (--help)" ;;
  esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Whether the row is asked for.
asked() { # ID
  local id
  ((${#ids[@]} > 0)) || return 0
  for id in "${ids[@]}"; do
    [[ $1 != "$id"* ]] || return 0
  done
  return 1
}

said=$(mktemp)
scratch='' # folder of the throwaway databases
server=''  # target-server, while it is one of the systems

stop() {
  [[ -z $server ]] || kill -TERM "$server" 2>/dev/null || true
  server=''
}
trap 'stop; [[ -z $scratch ]] || scripts/services.sh stop "$scratch"; rm -rf "$said" "$scratch"' EXIT

databases=() # what names them: VARIABLE=URL

# Starts the databases.
start_databases() {
  local kind url _
  scratch=$(mktemp -d)
  while read -r kind url _; do
    case $kind in
      postgres) databases+=("DATABASE_URL=$url") ;;
      redis) databases+=("REDIS_URL=$url") ;;
    esac
  done < <(scripts/services.sh start "$scratch")
}

# Which system the rows with these letters are of; the others start what they need.
declare -A systems=([NC]=novacron [NT]=nova-torch [AR]=aragora [PL]=platform [MA]=megaagent)

# Starts the system of a row instead of the one before, and names it and the databases.
start_system() { # letters
  local out kind url any=127.0.0.1:0 named=0
  stop
  unset API_URL WS_URL GRPC_URL DWCP_WS_URL DATABASE_URL REDIS_URL
  [[ -n ${systems[$1]-} ]] || return 0
  [[ -n $scratch ]] || start_databases
  ((${#databases[@]} == 0)) || export "${databases[@]?}"
  exec {out}< <(exec target-server --contract "${systems[$1]}" --strict --http "$any" --ws "$any" --grpc "$any")
  server=$!
  while ((named < 3)) && read -r -t 10 kind url <&"$out"; do
    named=$((named + 1))
    case $kind in
      http) export API_URL=$url ;;
      ws) export WS_URL=$url DWCP_WS_URL=$url/dwcp/v3/stream ;;
      grpc) export GRPC_URL=$url ;;
    esac
  done
  exec {out}<&-
  ((named == 3)) || refuse "target-server did not say within 10 s where it listens as ${systems[$1]}"
}

own=1 # whether the systems are started here
[[ -z ${API_URL-} ]] || own=0
started='' # letters of the rows whose system runs
good=0 bad=0
# shellcheck disable=SC2016 # backticks of Markdown
while IFS=$'\t' read -r id command <&3; do
  asked "$id" || continue
  if ((own == 1)) && [[ ${id%%-*} != "$started" ]]; then
    started=${id%%-*}
    start_system "$started"
  fi
  code=0
  timeout "$limit" bash -c "$command" >"$said" 2>&1 </dev/null || code=$?
  if ((code == 0)); then
    good=$((good + 1))
  else
    bad=$((bad + 1))
    echo "$id: exit code $code: $command"
    tail -n 5 "$said" | sed 's/^/    /'
  fi
done 3< <(sed -n 's/^| \([A-Z]*-[0-9]*\) | .* | runs | `\(.*\)` |$/\1\t\2/p' docs/systems.md)
echo "$good rows ran, $bad did not"
((good + bad > 0)) || refuse "no row has such an ID: ${ids[*]}"
((bad == 0))
