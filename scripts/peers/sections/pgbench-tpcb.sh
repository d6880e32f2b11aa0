# shellcheck shell=bash disable=SC2034,SC1091 # read by measure.sh; found from the root of the repository
source scripts/peers/sections/pgbench.sh
about="PostgreSQL: the same with pgbench's tpcb-like, seven statements a transaction"
tools=('db-load --no-pool' 'db-load -c 16' 'pgbench tpcb-like')
workload=tpcb
