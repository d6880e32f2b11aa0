# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
# shellcheck source=scripts/peers/sections/redis.sh
source "$here/sections/redis.sh"
about="the same GET, 16 commands at a time on each of the 64 connections"
tools=('db-load redis --pipeline 16' 'redis-benchmark -P 16')
redis_pipeline=16

judge() { demand "${tools[0]}" "${tools[1]}" 1.0; }
