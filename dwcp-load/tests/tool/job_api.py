"""A migration API that shares nothing with target-server. Prints its URL, and what it counted when asked for /count."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LOCK = threading.Lock()
JOBS = {}
COUNTS = {"post": 0, "look": 0, "stats": 0, "list": 0}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def shown(self, job_id):
        vm_id, began = JOBS[job_id]
        over = time.monotonic() - began > 0.05
        return {"job_id": job_id, "vm_id": vm_id, "status": "completed" if over else "in_progress", "data_loss": False}

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            COUNTS["post"] += 1
            # A name that is no path as it is.
            job_id = f"zone 1/job-{len(JOBS)}?"
            JOBS[job_id] = (order["vm_id"], time.monotonic())
        self.say(202, {"job_id": job_id})

    def do_GET(self):
        url = urlsplit(self.path)
        path = url.path.removeprefix("/api/v1/dwcp/")
        with LOCK:
            if path == "version":
                self.say(200, {"version": "python"})
            elif path == "stats":
                COUNTS["stats"] += 1
                self.say(200, {"active_migrations": 0})
            elif path == "migrations":
                COUNTS["list"] += 1
                vm_id = parse_qs(url.query)["vm_id"][0]
                jobs = [self.shown(job) for job in JOBS if JOBS[job][0] == vm_id]
                self.say(200, {"migrations": jobs})
            elif path.startswith("migrations/"):
                COUNTS["look"] += 1
                self.say(200, self.shown(unquote(path.removeprefix("migrations/"))))
            elif url.path.startswith("/count"):
                print(*COUNTS.values(), flush=True)
                self.say(404, {})
            else:
                self.say(404, {})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Api)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
