# SPDX-License-Identifier: MIT
"""HTTP at the whole program: every limit has a clear error, pages stay true while devices come and move, strangers stay out."""
import gzip
import json
import pathlib
import signal
import socket
import tempfile
import time
import unittest

from harness import CONTEXT, Exporter, Server, check_schema, wait_for
from test_pages import dcgm, scraping

API = f"{CONTEXT}/api/v1"


class Raw:
    """A connection that the test writes byte by byte."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text.encode())
        return self

    def answer(self):
        """(status, headers, body) of the next answer."""
        line = self.file.readline()
        if not line:
            return None
        headers = {}
        while (h := self.file.readline().strip()) != b"":
            name, value = h.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        return int(line.split()[1]), headers, self.file.read(int(headers.get("content-length", 0)))

    def ended(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exporter = Exporter(dcgm(50))
        cls.scraping = scraping([cls.exporter.url])
        cls.server = cls.scraping.__enter__()
        cls.document = cls.server.api("/openapi.json")
        # Each says a little and then too little, beside all the other tests.
        cls.slow_from = time.monotonic()
        cls.slow = [Raw(cls.server.port).send("GET /healthz HTTP/1.1\r\nHost: loc"),
                    Raw(cls.server.port).send(f"POST {API}/auth/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{")]
        wait_for("a device", lambda: cls.server.api("/gpu/devices")["items"])

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0
        cls.scraping.__exit__(None, None, None)
        cls.exporter.close()

    def problem(self, answer, status, code, *words):
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (status, "application/problem+json"), answer.body)
        check_schema(self.document, self.document["components"]["schemas"]["Problem"], answer.json)
        self.assertEqual((answer.json["code"], answer.json["request_id"]), (code, answer.headers["X-Request-Id"]))
        for word in words:
            self.assertIn(word, answer.body.decode())

    def test_numbers_and_names_in_queries(self):
        for path, words in (("/gpu/devices?limit=1001", ["?limit", "1000"]), ("/gpu/devices?limit=0", ["?limit"]),
                            ("/gpu/devices?limit=ten", ["?limit"]), ("/gpu/devices?limit=5&limit=6", ["?limit"]),
                            ("/gpu/devices?health=great", ["?health", "degraded"]), ("/gpu/devices?sort=size", ["?sort"]),
                            ("/gpu/devices?colour=red", ["colour"]), ("/gpu/devices?q=%zz", ["?q"]),
                            ("/gpu/devices?cursor=AAAA", ["?cursor"]), ("/gpu/nodes?cursor=x", ["?cursor"]),
                            ("/gpu/devices/node-a-GPU-00/metrics?metric=" + ",".join(["xid"] * 9), ["?metric", "at most 8"]),
                            ("/gpu/devices/node-a-GPU-00/metrics?metric=weight", ["?metric", "weight"]),
                            ("/gpu/devices/node-a-GPU-00/metrics?from=yesterday", ["?from"]),
                            ("/gpu/devices/node-a-GPU-00/metrics?from=now&to=now-1h", ["?from"]),
                            ("/gpu/devices/node-a-GPU-00/metrics?step=10ms", ["?step"]),
                            ("/gpu/devices/node-a-GPU-00/metrics?from=now-1d&step=1s", ["?step", "1500"]),
                            ("/audit?from=x", ["?from"]), ("/events?topics=weather", ["?topics"])):
            with self.subTest(path):
                self.problem(self.server.get(API + path), 400, "invalid", *words)

    def test_a_chart_has_at_most_1500_points(self):
        for span in ("1h", "1d", "30d", "365d"):
            answer = self.server.api(f"/gpu/devices/node-a-GPU-00/metrics?from=now-{span}")
            self.assertTrue(0 < len(answer["series"][0]["avg"]) <= 1501, span)

    def test_bodies(self):
        keys = f"{API}/auth/keys"

        def post(body, **headers):
            return self.server.request("POST", keys, body, headers={"Content-Type": "application/json", **headers})

        for body, status, code, words in (
                (b"{", 400, "parse_error", []), (b"[1]", 400, "invalid", []), (b"", 400, "invalid", []),
                (b'{"name": "a", "name": "b", "role": "viewer"}', 400, "parse_error", ["duplicate"]),
                (b'{"name": "", "role": "viewer"}', 400, "invalid", ["/name"]),
                (b'{"name": "' + b"n" * 300 + b'", "role": "viewer"}', 400, "invalid", ["/name"]),
                (b'{"name": 7, "role": "king"}', 400, "invalid", ["/name", "/role"]),
                (b'{"name": "a", "role": "viewer", "expiresIn": "1s"}', 400, "invalid", ["/expiresIn"]),
                (b"[" * 10000, 400, "parse_error", []), (b'{"name": "\xff", "role": "viewer"}', 400, "parse_error", []),
                (b" " * ((1 << 20) + 1), 413, "too_large", ["1048576"])):
            with self.subTest(body[:60]):
                self.problem(post(body), status, code, *words)
        self.problem(self.server.request("POST", keys, b"name=a", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
        self.problem(post(gzip.compress(b"{}"), **{"Content-Encoding": "gzip"}), 415, "unsupported_media_type")

    def test_methods_and_paths(self):
        answer = self.server.request("PUT", f"{API}/auth/keys")
        self.problem(answer, 405, "method_not_allowed")
        self.assertEqual(answer.headers["Allow"], "GET, POST, HEAD, OPTIONS")
        for path in ("/api/v2/gpu/overview", "/api/v1/gpu/devices/none", "/api/v1/gpu/nodes/none", "/api/v1/gpu/devices/none/metrics"):
            self.problem(self.server.get(CONTEXT + path), 404, "not_found")
        self.problem(self.server.request("DELETE", f"{API}/auth/keys/99"), 404, "not_found")
        self.assertEqual(self.server.get(f"{API}/../../etc/passwd").status, 400)

    def test_heads(self):
        self.problem(self.server.get(f"{API}/gpu/devices?q=" + "x" * 5000), 414, "too_large", "4096")
        self.problem(self.server.get("/healthz", headers={"X-Long": "y" * 12000}), 431, "headers_too_large")
        self.problem(self.server.get("/healthz", headers={f"X-{i}": "y" for i in range(80)}), 431, "headers_too_large", "64")
        for text, status in (("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
                             ("GET /healthz HTTP/1.1\r\n\r\n", 400), ("NONSENSE\r\n\r\n", 400)):
            raw = Raw(self.server.port).send(text)
            answer = raw.answer()
            self.assertTrue(answer is None or answer[0] == status, (text, answer))
            raw.close()

    def test_request_ids(self):
        self.assertEqual(self.server.get("/healthz", headers={"X-Request-Id": "abc-1.2_3"}).headers["X-Request-Id"], "abc-1.2_3")
        for bad in ("a b", "x" * 65, "<script>"):
            given = self.server.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
            self.assertRegex(given, r"^[0-9a-f]+-[0-9a-f]+$")
        one, two = (self.server.get("/healthz").headers["X-Request-Id"] for _ in range(2))
        self.assertNotEqual(one, two)

    def test_head_is_get_without_the_body(self):
        for path, methods in self.document["paths"].items():
            url = CONTEXT + path.replace("{id}", "node-a-GPU-00").replace("{name}", "node-a")
            if "get" not in methods or path.endswith("/events"):
                continue
            head, get = self.server.request("HEAD", url), self.server.get(url)
            self.assertEqual((head.status, head.body, head.headers["Content-Type"]), (200, b"", get.headers["Content-Type"]), url)

    def test_etag_and_304_for_what_did_not_change(self):
        # One that answers from a snapshot, asked twice within its second.
        def unchanged():
            first = self.server.get(f"{API}/gpu/devices")
            again = self.server.get(f"{API}/gpu/devices", headers={"If-None-Match": first.headers["ETag"]})
            return again.status == 304 and again.body == b"" and again.headers["ETag"] == first.headers["ETag"]

        wait_for("an unchanged list", unchanged)
        tag = self.server.get(f"{API}/gpu/devices").headers["ETag"]
        wait_for("a changed list", lambda: self.server.get(f"{API}/gpu/devices", headers={"If-None-Match": tag}).status == 200)
        packed = self.server.get(f"{API}/gpu/models", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(packed.headers["Vary"], "Accept-Encoding")
        self.assertGreater(len(json.loads(gzip.decompress(packed.body))["items"]), 14)

    def test_other_sites_and_proxies_are_no_admins(self):
        keys, body = f"{API}/auth/keys", {"name": "x", "role": "admin"}
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(self.server.request("POST", keys, body, headers=headers).status, 403, headers)
        for headers in ({"X-Forwarded-For": "10.1.2.3"}, {"Forwarded": "for=10.1.2.3"}, {"Via": "1.1 proxy"},
                        {"Host": "gpu.evil.example"}):
            self.assertEqual(self.server.get(keys, headers=headers).status, 403, headers)
        self.assertEqual(self.server.get(f"{API}/auth/me", headers={"Via": "1.1 proxy"}).json["role"], "viewer")
        self.assertEqual(self.server.get(f"{API}/auth/me").json["role"], "admin")

    def test_slow_clients_are_cut(self):
        for raw in self.slow:
            raw.socket.settimeout(40)
            first = raw.socket.recv(4096)
            self.assertTrue(first == b"" or first.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400")), first)
            raw.close()
        self.assertLess(time.monotonic() - self.slow_from, 40)
        self.assertEqual(self.server.get("/healthz").status, 200)


class Paging(unittest.TestCase):
    def test_pages_stay_true_while_devices_come_and_move(self):
        def uuid(i):
            return f"GPU-{i:08}-2222-3333-4444-555555555555"

        def page(numbers, node):
            return b"".join(dcgm(i, node=node, gpu=i, uuid=uuid(i)) for i in numbers)

        steady = list(range(10, 40, 2))
        with Exporter(page(steady, "node-m")) as middle, Exporter(page([1], "node-a")) as before, \
                Exporter(page([60], "node-z")) as behind:
            with scraping([middle.url, before.url, behind.url]) as server:
                wait_for("all", lambda: server.api("/gpu/overview")["totalGpuDevices"] == len(steady) + 2)
                seen, cursor, turn = [], "", 0
                while True:
                    answer = server.api(f"/gpu/devices?limit=4{cursor}")
                    seen += [int(d["uuid"][4:12]) for d in answer["items"]]
                    if not answer["next"]:
                        break
                    cursor = f"&cursor={answer['next']}"
                    # More before and behind the place that was reached; the very device it points at moves to the front.
                    before.page = page([1, 2 + turn, seen[-1]], "node-a") if turn == 1 else page(range(1, 3 + turn), "node-a")
                    middle.page = page([i for i in steady if turn != 1 or i != seen[-1]], "node-m")
                    turn += 1
                    total = server.api("/gpu/overview")["asOf"]
                    wait_for("a newer snapshot", lambda: server.api("/gpu/overview")["asOf"] != total)
                self.assertEqual([i for i in steady if i not in seen], [], "each that was there is met")
                self.assertEqual(sorted(set(seen)), sorted(seen), "and once")
                self.assertGreater(turn, 3)


class Ends(unittest.TestCase):
    def test_connections_beyond_the_limit_wait(self):
        with Server("--set", "server.max-connections=16") as server:
            held = [Raw(server.port).send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(16)]
            self.assertTrue(all(r.answer()[0] == 200 for r in held))
            late = Raw(server.port).send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            late.socket.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                late.socket.recv(1)
            held.pop().close()
            late.socket.settimeout(30)
            late.file = late.socket.makefile("rb")
            self.assertEqual(late.answer()[0], 200)
            for r in held + [late]:
                r.close()

    def test_a_request_in_flight_is_answered_after_sigterm(self):
        with Server() as server:
            body = json.dumps({"name": "late", "role": "viewer"})
            raw = Raw(server.port).send(f"POST {API}/auth/keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                        f"Content-Length: {len(body)}\r\n\r\n{body[:10]}")
            wait_for("it is read", lambda: server.get("/healthz").status == 200)
            server.process.send_signal(signal.SIGTERM)
            wait_for("it stops", lambda: "stopping" in server.log())
            raw.send(body[10:])
            status, headers, answer = raw.answer()
            self.assertEqual((status, headers.get("connection", "").lower()), (201, "close"), answer)
            raw.close()
            self.assertEqual(server.stop(), 0)


class Keys(unittest.TestCase):
    def test_refused_attempts_are_counted_and_keys_are_nowhere_in_clear(self):
        with tempfile.TemporaryDirectory() as folder:
            with Server(profile=None, folder=folder) as server:
                admin = server.printed(r"(gmk_[A-Za-z0-9_-]{43})")[1]
                for _ in range(3):
                    self.assertEqual(server.get(f"{API}/gpu/overview", key="gmk_" + "x" * 43).status, 401)
                viewer = server.request("POST", f"{API}/auth/keys", {"name": "v", "role": "viewer"}, key=admin).json["key"]
                for _ in range(2):
                    self.assertEqual(server.get(f"{API}/auth/keys", key=viewer).status, 403)
                answer = server.get(f"{API}/gpu/overview")
                self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, 'Bearer realm="gpu-monitor"'))
                self.assertEqual(server.get(f"{API}/auth/me", headers={"X-API-Key": viewer}).json["name"], "v")

                def refused():
                    counts = {}
                    for r in server.api("/audit/refused", key=admin)["items"]:
                        counts[(r["address"], r["status"])] = counts.get((r["address"], r["status"]), 0) + r["count"]
                    return counts

                wait_for("the counts", lambda: refused() == {("127.0.0.1", 401): 4, ("127.0.0.1", 403): 2})
                rows = server.api("/audit", key=admin)["items"]
                self.assertEqual([(r["action"], r["actor"], r["address"]) for r in rows],
                                 [("key.create", "first admin", "127.0.0.1"), ("key.create", "system", "")])
                self.assertEqual((rows[0]["after"]["name"], rows[0]["after"]["role"], rows[0]["before"]), ("v", "viewer", None))
                self.assertEqual(server.stop(), 0)
            stored = b"".join(p.read_bytes() for p in pathlib.Path(folder).iterdir())
            for key in (admin, viewer):
                self.assertNotIn(key[12:].encode(), stored)
            self.assertIn(viewer[:8].encode(), stored)

    def test_a_key_ends_when_it_was_said_to(self):
        with Server(profile=None) as server:
            admin = server.printed(r"(gmk_[A-Za-z0-9_-]{43})")[1]
            made = server.request("POST", f"{API}/auth/keys", {"name": "v", "role": "viewer", "expiresIn": "90d"}, key=admin).json
            self.assertRegex(made["info"]["expiresAt"], r"^\d{4}-\d\d-\d\dT")
            self.assertEqual(server.get(f"{API}/auth/me", key=made["key"]).json["role"], "viewer")


if __name__ == "__main__":
    unittest.main(verbosity=2)
