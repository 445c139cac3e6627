# SPDX-License-Identifier: MIT
"""Event streams under trouble: a client that does not read, one that leaves, one that comes back, too many of them."""
import json
import socket
import unittest

from harness import CONTEXT, Server, metric, wait_for


class Stream:
    """A raw client with a small receive buffer, so that what it does not read stays with the server."""

    def __init__(self, server, query="topics=fleet", last_id=None):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", server.port))
        head = f"Last-Event-ID: {last_id}\r\n" if last_id is not None else ""
        self.socket.sendall(f"GET {CONTEXT}/api/v1/events?{query} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.chunked = False
        while (line := self.file.readline().strip()) != b"":
            self.chunked = self.chunked or line.lower() == b"transfer-encoding: chunked"
        self.rest = b""

    def more(self):
        if not self.chunked:
            return self.file.read1(65536)
        size = int(self.file.readline() or b"0", 16)
        data = self.file.read(size)
        self.file.readline()
        return data

    def message(self):
        """The next (event, data)."""
        while b"\n\n" not in self.rest:
            data = self.more()
            if not data:
                raise EOFError
            self.rest += data
        block, self.rest = self.rest.split(b"\n\n", 1)
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and not line.startswith(b":"))
        if not fields:
            return self.message()
        return fields[b"event"].decode(), json.loads(fields[b"data"])

    def close(self):
        self.file.close()
        self.socket.close()


class Events(unittest.TestCase):
    def test_a_slow_reader_gets_the_newest_state_not_a_queue(self):
        with Server("--simulate", "120000", "--set", "simulate.faults=false") as server:
            wait_for("devices", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 120000)
            first = server.api("/gpu/fleet")["seq"]
            stream = Stream(server, last_id=first)
            self.assertEqual(stream.status, 200)
            # Each update is some 700 KB; what sockets do not hold the server must not keep either.
            wait_for("many snapshots", lambda: server.api("/gpu/fleet")["seq"] >= first + 12, 60)
            sent = metric(server, "gpu_monitor_sse_messages_total")
            self.assertLess(sent, 11)
            seq, updates = first, 0
            while seq < first + 12:
                event, data = stream.message()
                self.assertEqual((event, data["baseSeq"]), ("fleet", seq))
                seq = data["seq"]
                updates += 1
            self.assertLess(updates, 12)
            stream.close()

    def test_resume_and_reset(self):
        with Server("--simulate", "8") as server:
            wait_for("devices", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 8)
            first = server.api("/gpu/fleet")["seq"]
            wait_for("later", lambda: server.api("/gpu/fleet")["seq"] > first + 2)
            stream = Stream(server, last_id=first)
            event, data = stream.message()
            self.assertEqual((event, data["baseSeq"]), ("fleet", first))
            stream.close()
            for unknown in (first + 100000000, 1):
                stream = Stream(server, last_id=unknown)
                self.assertEqual(stream.message()[0], "reset")
                stream.close()

    def test_clients_that_leave_are_forgotten(self):
        with Server("--simulate", "8") as server:
            streams = [Stream(server) for _ in range(50)]
            wait_for("all there", lambda: metric(server, "gpu_monitor_sse_clients") == 50)
            for s in streams:
                s.close()
            wait_for("all gone", lambda: metric(server, "gpu_monitor_sse_clients") == 0)

    def test_too_many_streams_of_one_address(self):
        with Server("--simulate", "8", "--set", "server.max-streams-per-address=3") as server:
            streams = [Stream(server) for _ in range(3)]
            self.assertEqual(Stream(server).status, 429)
            self.assertEqual(server.get("/healthz").status, 200)
            for s in streams:
                s.close()

    def test_wrong_topics(self):
        with Server("--simulate", "8") as server:
            self.assertEqual(server.get(f"{CONTEXT}/api/v1/events?topics=weather").json["errors"][0]["pointer"], "?topics")


if __name__ == "__main__":
    unittest.main(verbosity=2)
