# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="Redis: GET of one of 10,000 keys, 100 bytes, 64 connections"
tools=('db-load redis' redis-benchmark)
redis_command='get'
redis_pipeline=1
in_flight=1024

up() {
  serve_service redis && redis_port=$(cat "$dir/redis/port") && password=$(cat "$dir/redis/password") &&
    redis_benchmark set -n 200000 -d 100 -P 50
}

redis_benchmark() { # command, arguments
  measured redis-benchmark -p "$redis_port" -a "$password" -t "$1" -r 10000 -q "${@:2}"
}

# It takes a number of calls only: so many as are about as long.
redis_benchmark_gets() { # calls, arguments
  took='' && redis_benchmark "$redis_command" -n "$1" -d 100 "${@:2}" && calls=$1
}

served() {
  scripts/services.sh count "$dir" --only redis | awk -v of="$redis_command" '$2 == of { print $3 }'
}

# Commands, of which a call has as many as the pipeline is long.
run() { # tool
  case $1 in
    db-load*)
      ours db-load redis --url "$url" -c 64 --workload "$redis_command" --pipeline "$redis_pipeline" -d "${seconds}s" &&
        calls=$(result '.counters[] | select(.name == "commands") | .count')
      ;;
    *) redis_benchmark_gets $((seconds * (redis_pipeline > 1 ? 600000 : 80000))) -c 64 -P "$redis_pipeline" ;;
  esac
}

judge() { demand 'db-load redis' redis-benchmark 0.75; }
