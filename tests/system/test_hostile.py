# SPDX-License-Identifier: MIT
"""Targets that hang, trickle, lie, flood or send rubbish: each is shown with why, memory stays bounded, a good one is as ever."""
import contextlib
import gzip
import os
import re
import socket
import threading
import unittest
import zlib

from harness import Exporter, Server, metric, wait_for

GOOD = ('# TYPE DCGM_FI_DEV_GPU_UTIL gauge\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-11111111-2222-3333-4444-555555555555",'
        'device="nvidia0",modelName="Tesla T4",Hostname="good"} %d\n')
LINE = b'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-22222222-2222-3333-4444-555555555555",Hostname="evil"} 1\n'


class Raw:
    """Answers each connection with what `talk(socket, stop)` does; a request is read first."""

    def __init__(self, talk):
        self.talk, self.stop = talk, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/metrics"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            self.talk(connection, self.stop)

    def close(self):
        self.stop.set()
        self.listener.close()


def head(*lines):
    return "\r\n".join(("HTTP/1.1 200 OK", "Content-Type: text/plain; version=0.0.4", *lines, "", "")).encode()


def hang(c, stop):
    stop.wait()


def hang_after_headers(c, stop):
    c.sendall(head("Content-Length: 1000"))
    stop.wait()


def trickle(c, stop):
    c.sendall(head("Content-Length: 100000"))
    while not stop.wait(0.05):
        c.sendall(b"#")


def says_more(c, stop):
    c.sendall(head("Content-Length: 1000") + LINE)


def says_less(c, stop):
    """The rest would be the answer to the next request, if the connection were used again."""
    c.sendall(head("Content-Length: 10") + b"# 45678\n# " + LINE * 100)
    stop.wait()


def flood(line):
    def talk(c, stop):
        c.sendall(head("Connection: close"))
        for _ in range(100 * (1 << 20) // len(line)):
            c.sendall(line)
    return talk


def bomb(c, stop):
    packer, zeros = zlib.compressobj(9, wbits=31), b"#" * (1 << 20)
    body = b"".join(packer.compress(zeros) for _ in range(100)) + packer.flush()
    c.sendall(head(f"Content-Length: {len(body)}", "Content-Encoding: gzip") + body)


def broken_gzip(c, stop):
    body = bytearray(gzip.compress(os.urandom(20000)))
    body[10] = 0xFF  # a kind of block that there is not
    c.sendall(head(f"Content-Length: {len(body)}", "Content-Encoding: gzip") + body)


def binary(c, stop):
    body = os.urandom(1 << 20)
    c.sendall(head(f"Content-Length: {len(body)}") + body)


def close_early(c, stop):
    c.sendall(b"HTTP/1.1 2")


def close_at_once(c, stop):
    pass


def endless_headers(c, stop):
    c.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.is_set():
        c.sendall(b"X-More: " + b"y" * 8000 + b"\r\n")


def no_http(c, stop):
    c.sendall(b"220 mail.example ESMTP ready\r\n")
    stop.wait()


def elsewhere(c, stop):
    c.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")


def web_page(c, stop):
    body = b"<!doctype html>\n" + b"<p>not metrics</p>\n" * 200
    c.sendall(head(f"Content-Length: {len(body)}") + body)


# What is done, and what the list of targets says of it.
HOSTILE = [
    (hang, "no answer within 500 ms"),
    (hang_after_headers, "500 ms"),
    (trickle, "500 ms"),
    (says_more, "closed early"),
    (says_less, "no GPU metrics on the page"),
    (flood(LINE), "larger than 33554432 bytes|500 ms"),
    (flood(b"x" * 65536), "larger than 33554432 bytes|500 ms"),
    (bomb, "larger than 33554432 bytes|500 ms"),
    (broken_gzip, "compressed page is broken"),
    (binary, "malformed|control|UTF-8|NUL|line"),
    (close_early, "closed|HTTP"),
    (close_at_once, "closed without an answer"),
    (endless_headers, "headers are too large|500 ms"),
    (no_http, "not an HTTP answer"),
    (elsewhere, "302: redirects are not followed"),
    (web_page, "malformed"),
]


class Hostile(unittest.TestCase):
    def test_each_is_said_memory_is_bounded_and_the_good_one_is_as_ever(self):
        with contextlib.ExitStack() as stack:
            good = stack.enter_context(Exporter(b""))

            def moving(handler):
                body = (GOOD % (good.hits % 100)).encode()
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            good.page = moving
            raws = [stack.enter_context(contextlib.closing(Raw(talk))) for talk, _ in HOSTILE]
            urls = ",".join([good.url] + [r.url for r in raws])
            server = stack.enter_context(Server("--set", f"scrape.targets=[{urls}]", "--set", "scrape.timeout=500ms",
                                                "--set", "gpu.management.metrics.collection-interval=1s"))

            def targets():
                return {t["url"]: t for t in server.api("/scrape/targets")["items"]}

            wait_for("three rounds", lambda: min(t["scrapes"] for t in targets().values()) >= 3, 60)
            for (talk, why), raw in zip(HOSTILE, raws):
                target = targets()[raw.url]
                self.assertEqual((target["state"], target["failures"]), ("down", target["scrapes"]), (talk.__name__, target))
                self.assertRegex(target["error"], why, talk.__name__)
                self.assertIsNotNone(target["since"])
            # Nothing of it became a device, also not what came after the length that was said.
            self.assertEqual([d["nodeName"] for d in server.api("/gpu/devices")["items"]], ["good"])
            mine = targets()[good.url]
            self.assertEqual((mine["state"], mine["failures"], mine["error"]), ("up", 0, None))
            self.assertEqual(metric(server, "gpu_monitor_scrape_late_total"), 0)
            before = server.api("/gpu/devices/good-GPU-00")["sampledAt"]
            wait_for("it moves on", lambda: server.api("/gpu/devices/good-GPU-00")["sampledAt"] > before, 5)
            if "SAN_OPTIONS" in " ".join(os.environ):
                return  # a sanitizer keeps what was freed
            peak = int(re.search(r"VmHWM:\s+(\d+)", server.status())[1])
            self.assertLess(peak, 200 << 10, "KiB at the most")

    def test_one_at_a_time_still_comes_round(self):
        with contextlib.closing(Raw(hang)) as bad, Exporter((GOOD % 7).encode()) as good:
            with Server("--set", f"scrape.targets=[{bad.url},{good.url}]", "--set", "scrape.timeout=300ms", "--set",
                        "gpu.management.metrics.parallel-processing=false", "--set",
                        "gpu.management.metrics.collection-interval=1s") as server:
                wait_for("several scrapes of both", lambda: all(t["scrapes"] >= 3 for t in server.api("/scrape/targets")["items"]))
                self.assertEqual(server.api("/gpu/devices/good-GPU-00")["utilization"], 7)


if __name__ == "__main__":
    unittest.main(verbosity=2)
