"""A shop with a state of its own, for suites: prints its port, and tells under /stats what it did."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
seen = Counter()
users, keys, words, orders = Counter(), set(), Counter(), {}


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "null")
        path, _, query = self.path.partition("?")
        if path == "/stats":
            return self.answer(200, {"seen": seen, "users": users, "keys": len(keys), "words": words, "orders": len(orders)})
        with lock:
            parts = path.split("/")
            seen[f"{self.command} /{parts[1]}"] += 1
            if path == "/login":
                users[body["user"]] += 1
                return self.answer(201, {"access_token": "t-" + body["user"]}, ETag='"v1"')
            if path == "/search":
                words[query.removeprefix("q=")] += 1
                return self.answer(200, {"hits": []})
            if path == "/gone":
                return self.answer(404, {"error": "gone"})
            if path == "/limited":
                return self.answer(429, {"error": "slow down"}, Retry_After="2")
            if path == "/all":
                return self.answer(200, {"bytes": 5_000_000, "words": 7})
            if not self.headers.get("Authorization", "").startswith("Bearer t-"):
                seen["unauthorised"] += 1
                return self.answer(401, {"error": "who are you?"})
            if path == "/products":
                return self.answer(200, {"products": [{"id": f"p{n}"} for n in range(5)], "page": query})
            if path == "/orders":
                keys.add(body["key"])
                orders[str(len(orders) + 1)] = 0
                return self.answer(201, {"id": len(orders), "product": body["product"]})
            if parts[1] == "orders":
                orders[parts[2]] += 1
                return self.answer(200, {"status": "done" if orders[parts[2]] >= 3 else "pending"})
            return self.answer(200, {})

    do_GET = do_POST = do_DELETE = handle_any


server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
print(server.server_address[1], flush=True)
server.serve_forever()
