# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
# shellcheck source=scripts/peers/sections/redis.sh
source "$here/sections/redis.sh"
about="the same GET, 64 calls at a time on one connection"
tools=('db-load redis --multiplex 64' 'redis-benchmark -P 64')

run() { # tool
  case $1 in
    db-load*) ours db-load redis --url "$url" -u 64 -c 1 --multiplex 64 --workload get -d "${seconds}s" ;;
    *) redis_benchmark_gets $((seconds * 800000)) -c 1 -P 64 ;;
  esac
}

judge() { true; }
