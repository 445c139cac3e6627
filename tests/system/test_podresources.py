# SPDX-License-Identifier: MIT
"""The PodResources client against a real gRPC server, and against servers that say what no real one would."""
import contextlib
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from harness import LONG, NVML_SIM
from kubelet import Kubelet, claim, container, devices, field, pod, varint

ASK = os.environ.get("GM_PODRESOURCES_ASK", str(NVML_SIM.parent / "podresources-ask"))
GPU = "GPU-6e5b8a7f-2e3d-4c5b-6a79-88071625344"


def ask(path, deadline_ms=10000):
    """(first line, rows)"""
    done = subprocess.run([ASK, str(path), str(deadline_ms)], capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert lines and done.returncode in (0, 1), (done.returncode, done.stdout, done.stderr)
    return lines[0], [line.split("|") for line in lines[1:]]


class RealServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kubelet = Kubelet()

    @classmethod
    def tearDownClass(cls):
        cls.kubelet.close()

    def tearDown(self):
        self.kubelet.behave()

    def rows(self, *pods):
        self.kubelet.set(*pods)
        first, rows = ask(self.kubelet.socket)
        self.assertRegex(first, rf"^ok {len(rows)} ")
        return rows

    def test_no_pods(self):
        self.assertEqual(self.rows(), [])
        self.assertRegex(self.kubelet.calls()[-1], r"^0 gpu-agent/\d", "the request is the empty message, and says who asks")

    def test_one_pod(self):
        self.assertEqual(self.rows(pod("ml", "trainer-0", container("main", devices("nvidia.com/gpu", GPU + "3")))),
                         [["ml", "trainer-0", "main", "nvidia.com/gpu", GPU + "3", "", ""]])

    def test_devices_of_each_numa_node_and_of_others(self):
        parts = (devices("nvidia.com/gpu", GPU + "0", GPU + "1", numa=0), devices("nvidia.com/gpu", GPU + "1", GPU + "2", numa=1),
                 devices("vendor.example/nic", "nic-0"), devices("nvidia.com/mig-1g.10gb", "MIG-a::1", numa=None))
        self.assertEqual([r[3:5] for r in self.rows(pod("ml", "t", container("main", *parts), container("side")))],
                         [["nvidia.com/gpu", GPU + "0"], ["nvidia.com/gpu", GPU + "1"], ["nvidia.com/gpu", GPU + "2"],
                          ["nvidia.com/mig-1g.10gb", "MIG-a::1"]])

    def test_claims(self):
        taken = claim("gpus", ("gpu.nvidia.com", "node-1", "gpu-0-mig-1g10gb-19-2", ["k8s.gpu.nvidia.com/claim=1", "second"]),
                      ("nic.example", "node-1", "nic-0", []), ("gpu.nvidia.com", "node-1", "gpu-1", []))
        self.assertEqual(self.rows(pod("ml", "t", container("main", taken))),
                         [["ml", "t", "main", "gpu.nvidia.com", "gpu-0-mig-1g10gb-19-2", "ml/gpus", "k8s.gpu.nvidia.com/claim=1"],
                          ["ml", "t", "main", "gpu.nvidia.com", "gpu-1", "ml/gpus", ""]])

    def test_fields_of_a_newer_kubelet(self):
        more = field(99, "text") + field(98, 7) + varint(97 << 3 | 1) + bytes(8) + varint(96 << 3 | 5) + bytes(4)
        self.assertEqual(len(self.rows(field(50, b"x" * 1000), pod("ml", "t", more, container("main", more, devices(
            "nvidia.com/gpu", GPU + "0"))), field(51, 1))), 1)

    def test_five_thousand_pods(self):
        filler = field(60, b"x" * 500)
        pods = [pod(f"team-{i % 50}", f"job-{i}", filler, container("main", devices("nvidia.com/gpu", f"GPU-{i}"), filler),
                    container("side")) for i in range(5000)]
        self.kubelet.set(*pods)
        size = (self.kubelet.folder / "answer").stat().st_size
        begin = time.monotonic()
        first, rows = ask(self.kubelet.socket)
        took = time.monotonic() - begin
        self.assertRegex(first, "^ok 5000 ")
        self.assertEqual(rows[4999], ["team-49", "job-4999", "main", "nvidia.com/gpu", "GPU-4999", "", ""])
        self.assertGreater(size, 5 << 20)
        # The message, what is kept of it, and little more: pods are unpacked one at a time.
        grown = int(first.split()[2])
        if not any("SAN_OPTIONS" in name for name in os.environ):
            self.assertLess(grown, size / 1024 + 3072, f"{grown} KiB for a message of {size // 1024}")
        self.assertLess(took, 5)
        print(f"5000 pods, {size / 2**20:.1f} MiB: {took * 1000:.0f} ms, {grown} KiB", flush=True)

    def test_the_largest_answer_and_one_byte_more(self):
        tail = pod("ml", "last", container("main", devices("nvidia.com/gpu", GPU + "0")))
        room = (16 << 20) - len(tail)
        filler = field(70, b"x" * (room - 6))
        self.assertEqual(len(filler), room, "the message is to have exactly 16 MiB")
        self.assertEqual(len(self.rows(filler, tail)), 1)
        self.kubelet.set(field(70, b"x" * (room - 5)), tail)
        first, _ = ask(self.kubelet.socket)
        self.assertRegex(first, r"^too_large: '.*kubelet.sock': the answer has 16777217 bytes, at most 16777216 are read$")

    def test_the_servers_own_refusal_is_told(self):
        for status, message, code, says in (
                ("RESOURCE_EXHAUSTED", "rejected by rate limit", "unavailable", "refused, resource exhausted: rejected by rate limit"),
                ("UNIMPLEMENTED", "", "unavailable", "refused, unimplemented"),
                ("INTERNAL", "100 % broken: größer", "unavailable", "refused, internal: 100 % broken: größer"),
                ("DEADLINE_EXCEEDED", "too slow", "deadline_exceeded", "refused, deadline exceeded: too slow")):
            self.kubelet.behave(status=status, message=message)
            self.assertEqual(ask(self.kubelet.socket), (f"{code}: '{self.kubelet.socket}': {says}", []))

    def test_rubbish_in_a_good_answer(self):
        for rubbish in (b"\x0a\xff", b"\xff" * 20, b"\x0a\x05\x0a\xffabc"):
            self.kubelet.set(rubbish)
            self.assertRegex(ask(self.kubelet.socket)[0], "^parse_error: '.*': .* cannot be read$")

    def test_a_slow_server_is_not_waited_for(self):
        self.kubelet.behave(delay=3)
        begin = time.monotonic()
        first, _ = ask(self.kubelet.socket, 300)
        took = time.monotonic() - begin
        self.assertRegex(first, "^deadline_exceeded: ")
        self.assertTrue(0.25 <= took < 1.5, took)

    def test_a_server_that_compresses_unasked_is_refused(self):
        with Kubelet(pod("ml", "t" * 3000, container("main", devices("nvidia.com/gpu", GPU + "0"))), gzip=True) as packed:
            self.assertRegex(ask(packed.socket)[0], "^parse_error: '.*': the answer is compressed, which was not asked for$")


class Ends(unittest.TestCase):
    def test_no_socket_and_nobody_there(self):
        with Kubelet(pod("ml", "t", container("main", devices("nvidia.com/gpu", GPU + "0")))) as kubelet:
            self.assertRegex(ask(kubelet.socket)[0], "^ok 1 ")
            self.assertEqual(ask(kubelet.folder / "none")[0], f"unavailable: '{kubelet.folder}/none': there is no socket")
            kubelet.stop(kill=True)
            self.assertEqual(ask(kubelet.socket)[0], f"unavailable: '{kubelet.socket}': nobody listens")
            kubelet.start()
            self.assertRegex(ask(kubelet.socket)[0], "^ok 1 ")

    def test_a_server_that_dies_before_its_answer(self):
        with Kubelet() as kubelet:
            kubelet.behave(die=True)
            begin = time.monotonic()
            self.assertRegex(ask(kubelet.socket)[0], "^unavailable: .*: the connection ended before the answer did$")
            self.assertLess(time.monotonic() - begin, 5)

    def test_a_connection_cut_at_any_byte(self):
        """A real answer, of which the client gets only the beginning."""
        pods = [pod("ml", f"job-{i}", field(60, b"x" * 300), container("main", devices("nvidia.com/gpu", f"GPU-{i}")))
                for i in range(300)]
        with Kubelet(*pods) as kubelet, Relay(kubelet.socket) as relay:
            self.assertRegex(ask(relay.path)[0], "^ok 300 ")
            whole = relay.passed
            self.assertGreater(whole, 100000)
            step = 997 if LONG else 9973
            for cut in [*range(0, 400, 13 if LONG else 57), *range(400, whole - 100, step), *range(whole - 60, whole - 8, 7)]:
                relay.cut = cut
                first, rows = ask(relay.path)
                # What ends behind the trailers is whole all the same.
                if not first.startswith("ok 300 "):
                    self.assertEqual((first, rows), (f"unavailable: '{relay.path}': the connection ended before the answer did", []))
                else:
                    self.assertGreater(cut, whole - 100)


class Relay:
    """Between client and server; after `cut` bytes of the answer both connections end."""

    def __init__(self, to):
        self.to, self.cut, self.passed = str(to), None, 0
        self.path = str(to) + ".relay"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with client, socket.socket(socket.AF_UNIX) as server:
                    server.connect(self.to)
                    there = threading.Thread(target=self.pump, args=(client, server), daemon=True)
                    there.start()
                    self.passed = 0
                    with contextlib.suppress(OSError):
                        while self.cut is None or self.passed < self.cut:
                            part = server.recv(65536 if self.cut is None else min(65536, self.cut - self.passed))
                            if not part:
                                break
                            self.passed += len(part)
                            client.sendall(part)
                    for s in (client, server):
                        with contextlib.suppress(OSError):
                            s.shutdown(socket.SHUT_RDWR)
                    there.join()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(flags, *pairs):
    """Literal, nothing compressed, nothing remembered."""
    block = b"".join(b"\x00" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in pairs)
    return frame(1, flags | 4, 1, block)


SETTINGS = frame(4, 0, 0)
OPEN = headers(0, (":status", "200"), ("content-type", "application/grpc"))
GOOD = headers(1, ("grpc-status", "0"))
MESSAGE = pod("ml", "t", container("main", devices("nvidia.com/gpu", GPU + "0")))
PREFIXED = b"\0" + struct.pack(">I", len(MESSAGE)) + MESSAGE


def data(payload, flags=0):
    return frame(0, flags, 1, payload)


class HandMade(unittest.TestCase):
    """Bytes as no library would send them."""

    def answer_to(self, sent, keep_open=False):
        with tempfile.TemporaryDirectory(prefix="gm-kubelet-") as folder, socket.socket(socket.AF_UNIX) as listener:
            path = pathlib.Path(folder, "kubelet.sock")
            listener.bind(str(path))
            listener.listen(1)
            end = threading.Event()

            def serve():
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(65536)
                    client.sendall(sent)
                    if keep_open:
                        end.wait(30)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            first, rows = ask(path, 3000)
            end.set()
            thread.join(30)
            return first.replace(str(path), "S"), rows

    def test_answers_in_pieces_and_with_all_that_may_stand_between(self):
        for parts in (
                [data(PREFIXED)],
                [data(PREFIXED[i:i + 1]) for i in range(len(PREFIXED))],
                [data(b""), frame(6, 0, 0, b"pingpong"), data(PREFIXED[:3]), frame(8, 0, 0, struct.pack(">I", 100)),
                 frame(0xfa, 0, 1, b"unknown"), data(PREFIXED[3:])],
                # padded
                [frame(0, 8, 1, b"\x04" + PREFIXED + b"\0" * 4)],
                # The server is about to go, but this call it still answers.
                [data(PREFIXED[:9]), frame(7, 0, 0, struct.pack(">II", 1, 0)), data(PREFIXED[9:])]):
            first, rows = self.answer_to(SETTINGS + OPEN + b"".join(parts) + GOOD, keep_open=True)
            self.assertRegex(first, "^ok 1 ")
            self.assertEqual(rows[0][1], "t")

    def test_answers_that_are_refused(self):
        plain = headers(1, (":status", "200"), ("content-type", "text/html"))
        for name, sent, says in (
                ("compressed", OPEN + data(b"\1" + PREFIXED[1:]) + GOOD, "parse_error: 'S': the answer is compressed, which was not asked for"),
                ("longer than it says", OPEN + data(PREFIXED + b"x") + GOOD, "parse_error: 'S': the answer goes on behind its message"),
                ("two messages", OPEN + data(PREFIXED * 2) + GOOD, "parse_error: 'S': the answer goes on behind its message"),
                ("shorter than it says", OPEN + data(PREFIXED[:-1]) + GOOD, "parse_error: 'S': the answer is shorter than it says"),
                ("no message", OPEN + GOOD, "parse_error: 'S': the answer is shorter than it says"),
                ("half a prefix", OPEN + data(b"\0\0") + GOOD, "parse_error: 'S': the answer is shorter than it says"),
                ("no status", OPEN + data(PREFIXED, 1), "parse_error: 'S': the answer has no grpc-status"),
                ("a status that is none", OPEN + data(PREFIXED) + headers(1, ("grpc-status", "ok")), "parse_error: 'S': the answer has no grpc-status"),
                ("trailers only", headers(1, (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12"),
                                          ("grpc-message", "unknown%20service%0a%zz")), "unavailable: 'S': refused, unimplemented: unknown service%zz"),
                ("a web page", plain, "parse_error: 'S': the answer is not gRPC"),
                ("another server", headers(1, (":status", "404")), "unavailable: 'S': HTTP status 404"),
                ("reset at once", frame(3, 0, 1, struct.pack(">I", 7)), "unavailable: 'S': the stream was reset without an answer: REFUSED_STREAM"),
                ("reset later", OPEN + data(PREFIXED[:9]) + frame(3, 0, 1, struct.pack(">I", 2)), "unavailable: 'S': the stream was reset: INTERNAL_ERROR"),
                ("gone", frame(7, 0, 0, struct.pack(">II", 0, 0)), "unavailable: 'S': the stream was reset without an answer: REFUSED_STREAM"),
                ("too large", OPEN + data(b"\0\x01\0\0\1"), "too_large: 'S': the answer has 16777217 bytes, at most 16777216 are read")):
            with self.subTest(name):
                self.assertEqual(self.answer_to(SETTINGS + sent, keep_open=True), (says, []))

    def test_other_protocols(self):
        for sent in (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"\0" * 100,
                     b"SSH-2.0-OpenSSH_9.2\r\n", frame(0, 0, 0, b"x"), SETTINGS + frame(1, 4, 1, b"\xff\xff\xff\xff\xff")):
            first, _ = self.answer_to(sent)
            self.assertRegex(first, "^(parse_error: 'S': not HTTP/2|unavailable: 'S': the (connection|stream) )", sent)

    def test_silence_is_ended_by_the_deadline(self):
        begin = time.monotonic()
        self.assertEqual(self.answer_to(SETTINGS + OPEN + data(PREFIXED[:9]), keep_open=True),
                         ("deadline_exceeded: 'S': no answer within 3000 ms", []))
        self.assertTrue(2.9 < time.monotonic() - begin < 6)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main(verbosity=2)
