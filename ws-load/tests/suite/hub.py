"""A hub for WebSockets, and a little HTTP beside it. Prints both ports; what it has seen when its input ends."""

import asyncio
import collections
import json
import os
import ssl
import sys
import time
from urllib.parse import parse_qs, urlsplit

import websockets

seen = collections.Counter()
tokens, clients, codes, debates = set(), set(), collections.Counter(), set()
channels = collections.defaultdict(set)
sockets = set()
EVERY = 0.05


def now_ms():
    return int(time.time() * 1000)


async def say(socket, what, **message):
    """Sends a message and counts it under `what`; one that meets a closed connection does not count."""
    if socket.open:
        await socket.send(json.dumps(message))
        seen[what] += 1


async def push():
    """Every subscriber gets the next message of its channel, and those of `bad` get what is none."""
    for number in range(1_000_000):
        await asyncio.sleep(EVERY)
        for channel, subscribers in list(channels.items()):
            for socket in list(subscribers):
                try:
                    if channel != "bad":
                        await say(socket, "pushed " + channel, type=channel, channel=channel, timestamp=now_ms())
                    elif number % 3 == 0:
                        await say(socket, "pushed wrong", type="x", timestamp=now_ms())
                    elif number % 3 == 1:
                        await socket.send("this is no JSON")
                        seen["pushed wrong"] += 1
                    else:
                        await say(socket, "pushed old", type="x", channel="bad", timestamp=now_ms() - 9_000)
                except websockets.ConnectionClosed:
                    pass


async def answer(socket, text):
    message = json.loads(text)
    kind = message.get("type") or message.get("action")
    seen[kind] += 1
    if kind == "subscribe" and "channel" in message:
        channels[message["channel"]].add(socket)
    elif kind == "subscribe":
        known = message["debate_id"] in debates and socket.path.endswith(message["debate_id"])
        for n in range(3 if known else 0):
            await asyncio.sleep(0.03)
            await say(socket, "agent_message", type="agent_message", n=n, timestamp=time.time())
        if known:
            await say(socket, "debate_end", type="debate_end", timestamp=time.time())
    elif kind == "ping":
        clients.add(message["client_id"])
        await say(socket, "pong", type="pong", channel="control", timestamp=now_ms(), client=message["client_id"])
    elif kind in ("vm_query", "metric_query"):
        status = "wrong" if message.get("vm_id") == "vm-bad" else "running"
        await say(socket, "answered", type="reply", to=kind, status=status, channel="q", timestamp=now_ms())
    elif kind == "publish":
        for other in list(sockets):
            what = "own" if other is socket else "published"
            if other.open:
                # Before it is sent: who leaves meanwhile may have got it, though sending fails.
                seen[what] += 1
                await other.send(text)
    elif kind == "disconnect":
        leave(socket)
    elif kind == "die":
        await socket.close(4001, "as you wish")


def leave(socket):
    sockets.discard(socket)
    for subscribers in channels.values():
        subscribers.discard(socket)


async def serve(socket, path=None):
    seen["opened"] += 1
    seen["open"] += 1
    seen["protocol " + str(socket.subprotocol)] += 1
    seen["origin " + str(socket.request_headers.get("X-Origin"))] += 1
    tokens.update(parse_qs(urlsplit(socket.path).query).get("token", []))
    seen["path " + urlsplit(socket.path).path.split("/")[1]] += 1
    if "quiet" not in socket.path:
        await say(socket, "hello", type="hello", channel="control", timestamp=now_ms(), id=seen["opened"])
    sockets.add(socket)
    try:
        async for message in socket:
            if isinstance(message, bytes):
                seen["binary"] += 1
                await socket.send(message)
            elif not message.startswith("{"):
                seen["text " + message] += 1
                await socket.send(message)
            else:
                await answer(socket, message)
    except websockets.ConnectionClosed:
        pass
    leave(socket)
    seen["open"] -= 1
    codes[str(socket.close_code) + " " + socket.close_reason] += 1


async def refuse(path, headers):
    token = parse_qs(urlsplit(path).query).get("token", [""])[0]
    return (403, [], b"no\n") if token == "bad" else None


async def http(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        length = [int(line[15:]) for line in head.decode().split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(length[0] if length else 0)
        seen["posted"] += 1
        debate = f"d-{len(debates)}" if json.loads(body)["question"] else ""
        debates.add(debate)
        answer = json.dumps({"debate_id": debate}).encode()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))


async def main():
    server = await websockets.serve(
        serve, "127.0.0.1", 0, subprotocols=["hub.v2"], process_request=refuse, compression=None, ping_interval=None
    )
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    web = await asyncio.start_server(http, "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], web.sockets[0].getsockname()[1], flush=True)
    asyncio.ensure_future(push())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for _ in range(100):
        # Who has said goodbye may still be on the way out.
        if not seen["open"]:
            break
        await asyncio.sleep(0.02)
    told = dict(seen, tokens=sorted(tokens), clients=len(clients), codes=dict(codes), debates=len(debates))
    print(json.dumps(told), flush=True)
    os._exit(0)


asyncio.run(main())
