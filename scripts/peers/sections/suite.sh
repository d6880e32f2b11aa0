# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="the GET as a suite: user class, template, checks of status and JSON, a capture; 64 connections"
tools=('api-load --suite' api-load 'k6 script')

up() {
  serve_nginx '' 'location / { default_type application/json; return 200 "{\"status\":\"ready\",\"id\":4711,\"name\":\"lamp\"}"; }' &&
    url=http://127.0.0.1:$port
}

served() { served_by_nginx; }

run() { # tool
  case $1 in
    'api-load --suite') ours api-load --suite "$here/suite.toml" --url "$url" -c 64 -d "${seconds}s" ;;
    api-load) ours api-load --url "$url/items/1" -c 64 -d "${seconds}s" ;;
    k6*) k6_ k6_suite.js VUS=64 SECONDS="$seconds" URL="$url" ;;
  esac
}

judge() {
  demand 'api-load --suite' api-load 1.4
  demand 'api-load --suite' 'k6 script' 1/8
}
