# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="Redis: GET of one of 10,000 keys, 100 bytes, 64 connections"
tools=('db-load redis' redis-benchmark)

up() {
  serve_service redis && redis_port=$(cat "$dir/redis/port") && password=$(cat "$dir/redis/password") &&
    redis_benchmark set -n 200000 -d 100 -P 50
}

redis_benchmark() { # command, arguments
  measured redis-benchmark -p "$redis_port" -a "$password" -t "$1" -r 10000 -q "${@:2}"
}

# It takes a number of calls only: so many as are about as long.
redis_benchmark_gets() { # calls, arguments
  took='' && redis_benchmark get -n "$1" "${@:2}" && calls=$1
}

run() { # tool
  case $1 in
    db-load*) ours db-load redis --url "$url" -c 64 --read-ratio 1 -d "${seconds}s" ;;
    *) redis_benchmark_gets $((seconds * 80000)) -c 64 ;;
  esac
}
