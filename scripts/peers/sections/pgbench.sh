# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="PostgreSQL: pgbench's select-only on its own tables of scale 10, prepared, 16 clients"
tools=('db-load --no-pool' 'db-load -c 16' 'pgbench -S')
workload=select-only

up() {
  serve_service postgres && pgbench -q -i -s 10 "$url" 2>"$dir/err"
}

run() { # tool
  local way=(-u 16 --no-pool)
  case $1 in
    pgbench*)
      measured pgbench -n -b "${workload/tpcb/tpcb-like}" -M prepared -c 16 -j 1 -T "$seconds" "$url" &&
        calls=$(sed -n 's|^number of transactions actually processed: \([0-9]*\).*|\1|p' "$dir/out")
      return
      ;;
    *-c*) way=(-c 16) ;;
  esac
  ours db-load postgres --url "$url" --workload "$workload" --use-existing "${way[@]}" -d "${seconds}s"
}

judge() {
  demand "${tools[0]}" "${tools[2]}" 1.0
  demand "${tools[1]}" "${tools[2]}" 1.1
  demand_rate "${tools[0]}" "${tools[2]}" 0.97
  demand_rate "${tools[1]}" "${tools[2]}" 0.97
}
