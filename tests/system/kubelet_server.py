# SPDX-License-Identifier: MIT
"""kubelet_server.py SOCKET FOLDER [gzip]: a real gRPC server with the kubelet's PodResources service; runs in the Python of
kubelet.py's folder, which has grpcio.

FOLDER/answer is the message that List gives, byte for byte; FOLDER/behaviour says, in JSON, what to do instead or before.
Both are read anew for each call. FOLDER/calls grows by a line a call.
"""
import concurrent.futures
import json
import os
import pathlib
import sys
import time

import grpc


def main():
    socket, folder = sys.argv[1], pathlib.Path(sys.argv[2])

    def list_pods(request, context):
        with open(folder / "calls", "a", encoding="ascii") as calls:
            calls.write(f"{len(request)} {dict(context.invocation_metadata()).get('user-agent')}\n")
        behaviour = json.loads((folder / "behaviour").read_text(encoding="utf-8"))
        if behaviour.get("delay"):
            time.sleep(behaviour["delay"])
        if behaviour.get("die"):
            os._exit(1)
        if behaviour.get("status"):
            context.abort(getattr(grpc.StatusCode, behaviour["status"]), behaviour.get("message", ""))
        return (folder / "answer").read_bytes()

    def same(value):
        return value

    handler = grpc.unary_unary_rpc_method_handler(list_pods, same, same)
    compression = grpc.Compression.Gzip if "gzip" in sys.argv[3:] else None
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), compression=compression,
                         options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.PodResourcesLister", {"List": handler}),))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()  # until who started us is gone
    server.stop(0).wait()


main()
