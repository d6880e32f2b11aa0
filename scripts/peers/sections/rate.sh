# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="20,000 arrivals a second (open model) over 64 connections"
tools=(api-load wrk2 oha k6)
columns=(unsent 'lag p99 ms')

up() {
  serve_nginx '' 'location / { return 200 "hello, world\n"; }' && url=http://127.0.0.1:$port/
}

served() { served_by_nginx; }

run() { # tool
  case $1 in
    api-load)
      ours api-load --url "$url" -r 20000 -c 64 -d "${seconds}s" &&
        notes=$(result '[.ledger.iterations.unsent, (.totals.lag_ms.p99 * 1000 | round / 1000)] | @tsv')
      ;;
    wrk2) measured wrk2 -t1 -c64 -R20000 -d"${seconds}s" "$url" &&
      calls=$(awk '/requests in/ { print $1 }' "$dir/out") && notes=$'-\t-' ;;
    oha) oha_ -q 20000 -c 64 -z "${seconds}s" "$url" && notes=$'-\t-' ;;
    k6) k6_ k6_rate.js RATE=20000 VUS=64 SECONDS="$seconds" URL="$url" &&
      notes=$(k6_result dropped_iterations.values.count)$'\t-' ;;
  esac
}

judge() {
  demand_value api-load 6 '% of a core' 40
  demand_value api-load 7 unsent 0 largest
}
