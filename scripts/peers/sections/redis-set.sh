# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
# shellcheck source=scripts/peers/sections/redis.sh
source "$here/sections/redis.sh"
about="the same, SET"
redis_command='set'
