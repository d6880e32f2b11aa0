# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="PostgreSQL: reads of one row by key, prepared, 16 connections"
tools=('db-load postgres' 'pgbench -S -M prepared' 'db-load postgres, 80 % reads')

up() {
  serve_service postgres && pgbench -q -i "$url" 2>"$dir/err"
}

run() { # tool
  case $1 in
    'db-load postgres') ours db-load postgres --url "$url" -c 16 --read-ratio 1 -d "${seconds}s" ;;
    *reads) ours db-load postgres --url "$url" -c 16 -d "${seconds}s" ;;
    pgbench*)
      measured pgbench -n -S -M prepared -c 16 -j 1 -T "$seconds" "$url" &&
        calls=$(sed -n 's|^number of transactions actually processed: \([0-9]*\).*|\1|p' "$dir/out")
      ;;
  esac
}
