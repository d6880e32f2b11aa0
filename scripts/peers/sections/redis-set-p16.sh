# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
# shellcheck source=scripts/peers/sections/redis-p16.sh
source "$here/sections/redis-p16.sh"
about="the same, SET"
redis_command='set'
