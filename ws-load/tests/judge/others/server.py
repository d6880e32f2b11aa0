"""Python's `websockets` as a server. Prints its port, and what it counted when its input ends. Takes a token, and the files of a
certificate and its key for TLS. Pings it answers by itself and does not count."""

import asyncio
import collections
import http
import json
import os
import ssl
import sys
import time

import websockets

token, *tls_files = sys.argv[1:]
seen = collections.Counter(opened=0, open=0, refused=0, offered=0, compressed=0, chat=0)
seen.update(echoes=0, pieces=0, pushes=0, broadcasts=0, relayed=0)
closed = collections.Counter()
everybody = set()


async def push(socket):
    seq = 0
    try:
        while True:
            await asyncio.sleep(0.1)
            now = time.time()
            stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now)) + f'.{int(now % 1 * 1e6):06}Z'
            await socket.send(json.dumps(dict(type='push', seq=seq, timestamp=stamp)))
            seq += 1
            seen['pushes'] += 1
    except websockets.ConnectionClosed:
        pass


async def answer(socket, message):
    text = message if isinstance(message, str) else message.decode()
    if text.startswith('close:'):
        _, code, reason = text.split(':')
        await socket.close(int(code), reason)
    elif text.startswith('{"type":"broadcast"'):
        seen['broadcasts'] += 1
        others = [other for other in everybody if other is not socket and other.open]
        seen['relayed'] += len(others)
        websockets.broadcast(others, message)
    else:
        seen['echoes'] += 1
        if seen['echoes'] % 3 == 0:
            seen['pieces'] += 1
            await socket.send([message[:5], message[5:]])
        else:
            await socket.send(message)


async def serve(socket, path=None):
    seen.update(opened=1, open=1)
    seen['offered'] += 'Sec-WebSocket-Extensions' in socket.request_headers
    seen['compressed'] += bool(socket.extensions)
    seen['chat'] += socket.subprotocol == 'chat'
    everybody.add(socket)
    pushing = asyncio.ensure_future(push(socket))
    try:
        async for message in socket:
            await answer(socket, message)
    except websockets.ConnectionClosed:
        pass
    pushing.cancel()
    everybody.discard(socket)
    seen['open'] -= 1
    closed[socket.close_code] += 1


async def look(path, headers):
    if token and headers.get('Authorization') != f'Bearer {token}':
        seen['refused'] += 1
        return http.HTTPStatus.UNAUTHORIZED, [], b'who are you?\n'


async def main():
    tls = None
    if tls_files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*tls_files)
    server = await websockets.serve(
        serve, '127.0.0.1', 0, ping_interval=0.2, compression='deflate', subprotocols=['chat'],
        process_request=look, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(dict(seen, closed=closed)), flush=True)
    os._exit(0)


asyncio.run(main())
