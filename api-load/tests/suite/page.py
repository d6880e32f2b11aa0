"""A page with parts that are asked for at the same time: prints its port, and tells under /stats what it saw."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
seen, cookies = Counter(), Counter()
state = {"connections": 0, "most": 0, "now": 0}
meetings = {}


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    new = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if self.path == "/stats":
            return self.answer(200, {"seen": seen, "cookies": cookies, **state})
        what, *rest = self.path.removeprefix("/").split("/")
        with lock:
            seen[self.path] += 1
            cookies[self.headers.get("Cookie", "")] += 1
            state["connections"] += self.new
            self.new = False
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        status, body, headers = self.work(what, rest)
        with lock:
            state["now"] -= 1
        self.answer(status, body, **headers)

    def work(self, what, rest):
        if what == "meet":
            # Nobody is answered before so many are here.
            with lock:
                barrier = meetings.setdefault(rest[0], threading.Barrier(int(rest[0])))
            try:
                barrier.wait(5)
            except threading.BrokenBarrierError:
                return 504, {"error": "the others did not come"}, {}
        if what == "slow":
            time.sleep(0.02)
        if what == "set":
            return 200, {}, {"Set_Cookie": f"{rest[0]}=1; Path=/"}
        if what == "bad":
            return 500, {}, {}
        return 200, {"id": rest[0] if rest else ""}, {}


class Server(ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Page)
print(server.server_address[1], flush=True)
server.serve_forever()
