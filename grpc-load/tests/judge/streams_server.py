"""All four kinds of calls on grpcio. Arguments: a FileDescriptorSet, and options like name=value.

Options: gzip=1 compresses answers; wait_ms=N waits before each answer; gap_ms=N between two messages of a stream;
streams=N allows so many at a time on a connection; cert, key, ca: files for TLS that asks for the client's certificate.
Prints its port; when stdin ends, prints what it counted as JSON.
"""

import json
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection

SERVICE = "judge.Streams"

with open(sys.argv[1], "rb") as file:
    files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
options = dict(option.split("=") for option in sys.argv[2:])
wait, gap = (int(options.get(name, 0)) / 1000 for name in ("wait_ms", "gap_ms"))

pool = descriptor_pool.DescriptorPool()
for each in files:
    pool.Add(each)
Ask, Told = (message_factory.GetMessageClass(pool.FindMessageTypeByName("judge." + name)) for name in ("Ask", "Told"))

lock = threading.Lock()
counts = {"calls": 0, "messages": 0, "number": 0, "deadlines": 0}


def count(context):
    with lock:
        counts["calls"] += 1
        # Without a deadline it is what is left of centuries.
        remaining = context.time_remaining()
        counts["deadlines"] += remaining is not None and remaining < 60
    time.sleep(wait)


def read(ask):
    with lock:
        counts["messages"] += 1
        # Numbers show that the message was read as it was meant.
        counts["number"] += ask.number
    return Told(name=ask.name, number=ask.number)


def one(ask, context):
    count(context)
    return read(ask)


def many(ask, context):
    count(context)
    read(ask)
    for number in range(ask.replies):
        time.sleep(gap)
        yield Told(name=ask.name, number=number)


def total(asks, context):
    count(context)
    return Told(number=sum(read(ask).number for ask in asks))


def echo(asks, context):
    count(context)
    for ask in asks:
        time.sleep(gap)
        yield read(ask)


handlers = {
    "One": grpc.unary_unary_rpc_method_handler(one, Ask.FromString, Told.SerializeToString),
    "Many": grpc.unary_stream_rpc_method_handler(many, Ask.FromString, Told.SerializeToString),
    "Sum": grpc.stream_unary_rpc_method_handler(total, Ask.FromString, Told.SerializeToString),
    "Echo": grpc.stream_stream_rpc_method_handler(echo, Ask.FromString, Told.SerializeToString),
}
settings = [("grpc.so_reuseport", 0)]
if "streams" in options:
    settings.append(("grpc.max_concurrent_streams", int(options["streams"])))
compression = grpc.Compression.Gzip if "gzip" in options else None
server = grpc.server(futures.ThreadPoolExecutor(16), options=settings, compression=compression)
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server, pool=pool)
if "cert" in options:
    key, cert, ca = (open(options[name], "rb").read() for name in ("key", "cert", "ca"))
    credentials = grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
else:
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(0).wait()
print(json.dumps(counts), flush=True)
