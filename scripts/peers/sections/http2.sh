# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="plain GET over HTTP/2 without TLS, 8 connections of 8 streams"
tools=('api-load --http2' h2load oha)

up() {
  serve_nginx http2 'location / { return 200 "hello, world\n"; }' && url=http://127.0.0.1:$port/
}

served() { served_by_nginx; }

run() { # tool
  case $1 in
    api-load*) ours api-load --url "$url" --http2 -c 8 --streams 8 -d "${seconds}s" ;;
    h2load) h2load_ -c 8 -m 8 -D "$seconds" "$url" ;;
    oha) oha_ --http2 -c 8 -p 8 -z "${seconds}s" "$url" ;;
  esac
}

judge() { demand 'api-load --http2' h2load 1.4 1.2; }
