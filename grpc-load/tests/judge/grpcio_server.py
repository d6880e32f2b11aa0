"""Nova-Torch's service on grpcio. Arguments: a FileDescriptorSet, and options like name=value.

Options: fail_every=N aborts every Nth call with NOT_FOUND; age_ms=N lets connections live so long.
Prints its port; when stdin ends, prints what it counted as JSON.
"""

import json
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection

SERVICE = "nova_torch.NovaOrchestrator"

with open(sys.argv[1], "rb") as file:
    files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
options = dict(option.split("=") for option in sys.argv[2:])
fail_every = int(options.get("fail_every", 0))

pool = descriptor_pool.DescriptorPool()
for each in files:
    pool.Add(each)
Request, Response = (
    message_factory.GetMessageClass(pool.FindMessageTypeByName("nova_torch.RegisterAgent" + name))
    for name in ("Request", "Response")
)

lock = threading.Lock()
counts = {"calls": 0, "ok": 0, "port": 0, "metadata": 0}


def register(request, context):
    with lock:
        counts["calls"] += 1
        # Numbers show that the message was read as it was meant.
        counts["port"] += request.port
        counts["metadata"] += ("x-run", "judge") in [tuple(pair) for pair in context.invocation_metadata()]
        fails = fail_every and counts["calls"] % fail_every == 0
        counts["ok"] += not fails
    if fails:
        context.abort(grpc.StatusCode.NOT_FOUND, "no agent \u00e4 100%")
    return Response(success=True, message="registered", agent_id=request.agent_id)


settings = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
if "age_ms" in options:
    settings += [("grpc.max_connection_age_ms", int(options["age_ms"])), ("grpc.max_connection_age_grace_ms", 5000)]
server = grpc.server(futures.ThreadPoolExecutor(8), options=settings)
handler = grpc.unary_unary_rpc_method_handler(register, Request.FromString, Response.SerializeToString)
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"RegisterAgent": handler})])
reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server, pool=pool)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(0).wait()
print(json.dumps(counts), flush=True)
