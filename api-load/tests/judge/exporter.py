"""A target with an exporter of its own: every path answers at once, and /metrics says what the query asks it to say. Prints its port."""

import http.server
import json
import sys
import time
import urllib.parse

BEGAN = time.monotonic()
ASKED = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/metrics":
            # Some work, so that there is CPU time to account for.
            sum(range(20_000))
            return self.say("ok\n")
        asked = ASKED[url.query] = ASKED.get(url.query, 0) + 1
        passed = time.monotonic() - BEGAN
        if url.query == "leak":
            return self.say(f"process_resident_memory_bytes {50e6 + 1e6 * passed}\n")
        if url.query == "steady":
            # Garbage comes and goes.
            return self.say(f"process_resident_memory_bytes {50e6 + asked % 2 * 1e5}\n")
        if url.query == "restart":
            return self.say(f"process_start_time_seconds {1 if asked < 3 else 2}\n")
        if url.query == "dies" and asked > 2:
            return self.close()
        if url.query == "broken":
            return self.say("# HELP x\nprocess_open_fds 3\nnonsense\n")
        if url.query == "json":
            return self.say(json.dumps({"cpu_percent": 25, "queues": [{"length": 3}, {"length": 4}]}))
        if url.query == "asked":
            return self.say(json.dumps(ASKED))
        self.say('process_cpu_seconds_total 1.5\nqueue_length{queue="a"} 3\nqueue_length{queue="b"} 4\n')

    def say(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def close(self):
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
