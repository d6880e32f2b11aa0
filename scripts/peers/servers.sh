# shellcheck shell=bash disable=SC2034,SC2154 # variables of bench_peers.sh
# How is a server started on core 1, and what has it counted?

# Starts a program that ends with this script, and waits until it listens.
serve() { # port, command
  local try pid
  setpriv --pdeathsig TERM taskset -c 1 "${@:2}" >"$dir/server" 2>&1 </dev/null &
  pid=$!
  servers+=("$pid")
  for ((try = 0; try < 200; try++)); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  say "${2##*/}: $(tail -n 1 "$dir/server")"
  return 1
}

# A port on which nobody listens, below those that the system hands out.
free_port() {
  local port try
  for ((try = 0; try < 100; try++)); do
    port=$((RANDOM % 12000 + 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# Starts nginx with one worker; `port` is where it answers.
serve_nginx() { # parameters of `listen`, body of the server
  local status_port
  command -v nginx >/dev/null || { say 'no nginx; --install gets it' && return 1; }
  port=$(free_port)
  while status_port=$(free_port); do
    ((status_port == port)) || break
  done
  status=http://127.0.0.1:$status_port/
  cat >"$dir/nginx.conf" <<CONF
daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid $dir/nginx.pid; error_log $dir/error.log crit;
events { worker_connections 16000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; types { } default_type text/plain;
  client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
  server { listen 127.0.0.1:$port backlog=16384 $1; $2 }
  server { listen 127.0.0.1:$status_port; location / { stub_status; } }
}
CONF
  seen+=(nginx)
  : >"$dir/asked"
  serve "$port" nginx -c "$dir/nginx.conf" -e "$dir/error.log"
}

# The calls that nginx has counted, without those that asked it.
served_by_nginx() {
  echo >>"$dir/asked"
  curl -fsS --max-time 10 "$status" | awk -v asked="$(wc -l <"$dir/asked")" 'NR == 3 { print $3 - asked }'
}

# Starts our server for WebSockets; `ws_port` is where it answers.
serve_ws() {
  ws_port=$(free_port)
  while status=$(free_port); do
    ((status == ws_port)) || break
  done
  serve "$status" target-server --ws "127.0.0.1:$ws_port" --http "127.0.0.1:$status" --record off
}

# The messages that it has echoed.
served_by_ws() { curl -fsS --max-time 10 "http://127.0.0.1:$status/truth" | jq .ws.sent.echo; }

# Starts PostgreSQL or Redis with data in `dir`; what it starts stays on the core of the one who started it.
serve_service() { # service
  local kind
  services=1
  read -r kind url < <(taskset -c 1 scripts/services.sh start "$dir" --only "$1")
  [[ $kind == "$1" ]] || { say "$1: $kind $url" && return 1; }
}
