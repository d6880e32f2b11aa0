# shellcheck shell=bash
# Where are the targets? Read by run_all.sh, whose `say`, `refuse`, `in_own_session`, `suite`, `bin`, `scratch`, `servers`,
# `results` and `run_id` it uses.
# shellcheck disable=SC2034,SC2154 # what is the other's

# The systems whose contracts target-server knows.
systems=(novacron nova-torch aragora platform megaagent)
contract=() # flags of target-server for the contract

# Where each component finds its target, and why it has none: `where[api]`, `absent[api]`.
declare -A where=() absent=()

# Reads the file of the environment; what is set already wins.
read_environment() { # file
  local line name
  while IFS= read -r line; do
    [[ -n $line && $line != '#'* ]] || continue
    name=${line%%=*}
    case $name in
      API_URL | WS_URL | DWCP_WS_URL | GRPC_URL | DATABASE_URL | REDIS_URL) ;;
      *) refuse "$1: $name; expected API_URL=..., WS_URL, DWCP_WS_URL, GRPC_URL, DATABASE_URL or REDIS_URL" ;;
    esac
    [[ -n ${!name-} ]] || printf -v "$name" %s "${line#*=}"
  done <"$1"
}

# Takes a component's target from a variable, or says which one is not set.
take() { # component, variable
  if [[ -n ${!2-} ]]; then
    where[$1]=${!2}
  else
    absent[$1]="$2 is not set"
  fi
}

# Points at targets that somebody else runs. False when the environment names none.
use_given() {
  [[ -n ${API_URL-}${WS_URL-}${DWCP_WS_URL-}${GRPC_URL-}${DATABASE_URL-}${REDIS_URL-} ]] || return 1
  take api API_URL
  take ws WS_URL
  take dwcp API_URL
  take grpc GRPC_URL
  take db-postgres DATABASE_URL
  take db-redis REDIS_URL
  if [[ -z ${DWCP_WS_URL-} ]]; then
    unset 'where[dwcp]'
    absent[dwcp]='DWCP_WS_URL is not set'
  fi
}

# Sets `contract`, by which target-server is what a suite of one of the five systems is written for. False for others.
contract_of() { # suite's folder
  local suite=${1%/} system
  suite=${suite##*/}
  for system in "${systems[@]}"; do
    if [[ $suite == "$system" || $suite == "$system"-* ]]; then
      contract=(--contract "$system" --strict)
      [[ $suite != *-actual ]] || contract+=(--actual)
      return 0
    fi
  done
  return 1
}

# Starts every target here: a system's contract for its suites, else all that target-server has.
start_targets() {
  local out kind url rest any=127.0.0.1:0 flags=() wanted=4
  if contract_of "$suite"; then
    flags=("${contract[@]}" --http "$any" --ws "$any" --grpc "$any") wanted=3
  else
    flags=(--http "$any" --ws "$any" --dwcp "$any" --grpc "$any")
  fi
  exec {out}< <(in_own_session "$bin/target-server" "${flags[@]}")
  servers+=($!)
  while ((${#where[@]} < wanted)); do
    if ! read -r -t 10 kind url <&"$out"; then
      say "target-server did not say within 10 s where it listens"
      exit 114
    fi
    say "target-server serves $kind at $url"
    [[ $kind != http ]] || kind=api
    where[$kind]=$url
  done
  ((wanted == 4)) || use_contract
  while read -r kind url rest; do
    case $kind in
      postgres | redis) where[db-$kind]=$url && say "$kind is at ${url##*@}" ;;
      skipped) absent[db-$url]="$url $rest" && say "no $url: $rest" ;;
    esac
  done < <(scripts/services.sh start "$scratch")
}

# A contract has migrations on the listener of HTTP and their events on that of WebSockets. All components know both,
# for some call the API besides what they load; and dwcp-load, which has no suite, knows no token.
use_contract() {
  where[dwcp]=${where[api]}
  export API_URL=${where[api]} DWCP_WS_URL=${where[ws]}/dwcp/v3/stream
  [[ ${contract[1]} != novacron ]] || export API_TOKEN=${API_TOKEN-test-token-123}
}

# Keeps what the targets counted themselves beside what the tools did, for whoever wants to compare.
keep_truth() {
  local address=${where[api]#http://} truth
  exec {truth}<>"/dev/tcp/${address%:*}/${address##*:}" || return 0
  printf 'GET /truth HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" >&"$truth"
  timeout 10 sed $'1,/^\r$/d' <&"$truth" >"$results/$run_id/truth.json" || true
  exec {truth}>&-
  scripts/services.sh count "$scratch" >"$results/$run_id/truth.services" || true
}
