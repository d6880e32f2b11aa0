# shellcheck shell=bash disable=SC2034,SC2154 # read and set by measure.sh
about="plain GET over TLS 1.3 (AES-256-GCM, ECDSA P-256), 64 connections kept alive"
tools=(api-load wrk 'h2load --h1' oha)

up() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/err" || return 1
  # One cipher only, so that all have the same.
  serve_nginx ssl "ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem; ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384; location / { return 200 \"hello, world\n\"; }" &&
    url=https://127.0.0.1:$port/
}

served() { served_by_nginx; }

run() { # tool
  case $1 in
    api-load) ours api-load --url "$url" --cacert "$dir/cert.pem" -c 64 -d "${seconds}s" ;;
    wrk) wrk_ -c 64 -d "${seconds}s" "$url" ;;
    h2load*) h2load_ --h1 -c 64 -D "$seconds" "$url" ;;
    oha) oha_ --insecure -c 64 -z "${seconds}s" "$url" ;;
  esac
}

judge() { demand api-load wrk 1.1; }
