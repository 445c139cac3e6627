# SPDX-License-Identifier: MIT
"""The database at the whole program: kills, a stop with a full queue, full and read-only disks, locks, files of others."""
import contextlib
import http.client
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import tempfile
import threading
import unittest

from harness import CONTEXT, LONG, Server, free_port, metric, wait_for

KEYS = f"{CONTEXT}/api/v1/auth/keys"


class Kills(unittest.TestCase):
    """Keys are made and revoked by several clients when the program is killed: what was acknowledged is there."""

    ROUNDS = 200 if LONG else 10

    def work(self, server, admin, acknowledged, stop):
        number = 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not stop.is_set():
                number += 1
                made = server.request("POST", KEYS, {"name": f"{threading.get_ident()}-{number}", "role": "viewer"}, key=admin)
                if made.status != 201:
                    acknowledged.append(("odd", made.status, made.body))
                    return
                key = made.json["info"]["id"]
                acknowledged.append(("made", key))
                if number % 3 == 0:
                    gone = server.request("DELETE", f"{KEYS}/{key}", key=admin)
                    if gone.status == 204:
                        acknowledged.append(("revoked", key))

    def check(self, server, admin, made, revoked):
        listed = {k["id"]: k for k in server.api("/auth/keys", key=admin)["items"]}
        self.assertEqual(made - set(listed), set(), "acknowledged keys that are lost")
        self.assertEqual({i for i in revoked if not listed[i]["revokedAt"]}, set(), "acknowledged revocations that are lost")
        rows, cursor = [], ""
        while True:
            page = server.api(f"/audit?limit=1000&action=key{cursor}", key=admin)
            rows += page["items"]
            if not page["next"]:
                break
            cursor = f"&cursor={page['next']}"
        self.assertEqual([r["seq"] for r in rows], list(range(len(rows), 0, -1)), "audit rows without a gap")
        self.assertEqual({int(r["object"]) for r in rows if r["action"] == "key.create"}, set(listed), "one row a key, no more")
        self.assertLessEqual(revoked, {int(r["object"]) for r in rows if r["action"] == "key.revoke"})

    def test_nothing_acknowledged_is_lost(self):
        dice, made, revoked = random.Random(3), set(), set()
        with tempfile.TemporaryDirectory() as folder:
            admin = "gmk_" + "k" * 43
            pathlib.Path(folder, "key").write_text(admin, encoding="ascii")

            def start():
                return Server("--simulate", "100", "--set", "simulate.interval=100ms", "--set",
                              f"security.admin-key-file={folder}/key", profile=None, folder=folder)

            for _ in range(self.ROUNDS):
                server, acknowledged, stop = start(), [], threading.Event()
                self.check(server, admin, made, revoked)
                clients = [threading.Thread(target=self.work, args=(server, admin, acknowledged, stop)) for _ in range(3)]
                for c in clients:
                    c.start()
                target = dice.randrange(1, 40)
                wait_for("some keys", lambda: len(acknowledged) >= target)
                server.stop(signal.SIGKILL)
                stop.set()
                for c in clients:
                    c.join()
                self.assertEqual([a for a in acknowledged if a[0] == "odd"], [])
                made |= {a[1] for a in acknowledged if a[0] == "made"}
                revoked |= {a[1] for a in acknowledged if a[0] == "revoked"}
            server = start()
            self.check(server, admin, made, revoked)
            self.assertEqual(server.api("/gpu/overview", key=admin)["totalGpuDevices"], 100)
            self.assertEqual(server.stop(), 0)
            with contextlib.closing(sqlite3.connect(f"{folder}/test.db")) as db:
                self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertGreater(len(made), self.ROUNDS * 5)


class Stops(unittest.TestCase):
    def test_sigterm_writes_what_is_queued(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server("--simulate", "4000", "--set", "simulate.interval=200ms", folder=folder)
            wait_for("devices", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 4000)
            wait_for("a queue", lambda: metric(server, "gpu_monitor_store_queue_rows") > 1000)
            seen = {d["deviceId"]: d["sampledAt"] for d in server.api("/gpu/devices?limit=1000")["items"]}
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("were not written", server.log())
            with Server("--simulate", "0", folder=folder) as again:
                self.assertEqual(again.api("/gpu/overview")["totalGpuDevices"], 4000)
                for device, at in list(seen.items())[::50]:
                    second = at[:19] + "Z"
                    answer = again.api(f"/gpu/devices/{device}/metrics?metric=temperature&from={second}&to=now&step=1s")
                    self.assertIsNotNone(answer["series"][0]["avg"][0], (device, at))


@contextlib.contextmanager
def small_disk(case, size):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True, check=False)
        if done.returncode:
            case.skipTest("no right to mount a small disk: " + done.stderr.decode().strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True, capture_output=True)


def database(server):
    return server.get("/readyz").json["database"]


class Disks(unittest.TestCase):
    def moves_on(self, server):
        first = server.api("/gpu/overview")["asOf"]
        wait_for("the live view goes on", lambda: server.api("/gpu/overview")["asOf"] > first, 10)

    def refuses(self, server, status, words):
        answer = server.request("POST", KEYS, {"name": "x", "role": "viewer"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (status, "application/problem+json"), answer.body)
        self.assertRegex(answer.json["detail"], words)

    def comes_back(self, server):
        wait_for("the database works again", lambda: database(server)["up"], 60)
        self.assertIn("writing works again", server.log())
        rows = metric(server, "gpu_monitor_store_rows_total")
        wait_for("rows", lambda: metric(server, "gpu_monitor_store_rows_total") > rows)
        self.assertEqual(server.request("POST", KEYS, {"name": "x", "role": "viewer"}).status, 201)

    def test_a_full_disk(self):
        with small_disk(self, "4m") as folder:
            with Server("--simulate", "24", folder=folder) as server:
                wait_for("rows", lambda: metric(server, "gpu_monitor_store_rows_total") > 0)
                filler = os.open(f"{folder}/filler", os.O_WRONLY | os.O_CREAT)
                with contextlib.suppress(OSError):
                    while True:
                        os.write(filler, b"x" * 4096)
                os.close(filler)
                wait_for("it is said", lambda: not database(server)["up"])
                self.assertRegex(database(server)["error"], "(?i)full|space")
                self.assertRegex(database(server)["since"], r"^\d{4}-.*Z$")
                self.assertEqual(server.get("/readyz").status, 200)
                self.moves_on(server)
                self.refuses(server, 507, "(?i)full|space")
                self.assertEqual(metric(server, "gpu_monitor_store_up"), 0)
                os.unlink(f"{folder}/filler")
                self.comes_back(server)

    def test_a_disk_that_is_read_only(self):
        with small_disk(self, "16m") as folder, tempfile.TemporaryDirectory() as logs:
            with Server("--simulate", "8", "--set", f"database.url=sqlite:{folder}/ro.db", folder=logs) as server:
                wait_for("rows", lambda: metric(server, "gpu_monitor_store_rows_total") > 0)
            remount(folder, "ro")
            with Server("--simulate", "8", "--set", f"database.url=sqlite:{folder}/ro.db", folder=logs) as server:
                wait_for("devices", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 8)
                self.assertFalse(database(server)["up"])
                self.assertRegex(database(server)["error"], "(?i)read-only")
                self.moves_on(server)
                self.refuses(server, 503, "readyz|(?i:read-only)")


class OthersFiles(unittest.TestCase):
    def starts_without(self, words, prepare):
        with tempfile.TemporaryDirectory() as folder:
            prepare(folder)
            with Server("--simulate", "8", folder=folder) as server:
                wait_for("devices", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 8)
                self.assertFalse(database(server)["up"])
                self.assertRegex(database(server)["error"], words)
                self.assertRegex(server.log(), "no database: history, keys and audit are off.*")
                answer = server.request("POST", KEYS, {"name": "x", "role": "viewer"})
                self.assertEqual((answer.status, answer.json["code"]), (503, "unavailable"))

    def test_a_newer_database(self):
        def prepare(folder):
            self.assertEqual(Server(folder=folder).stop(), 0)
            with contextlib.closing(sqlite3.connect(f"{folder}/test.db")) as db:
                version = db.execute("SELECT max(version) FROM schema_version").fetchone()[0]
                db.execute("INSERT INTO schema_version SELECT ?, name, applied_ms FROM schema_version LIMIT 1", (version + 2,))
                db.commit()

        self.starts_without("newer version", prepare)

    def test_a_folder(self):
        self.starts_without("is a directory", lambda folder: os.mkdir(f"{folder}/test.db"))

    def test_a_database_of_something_else(self):
        def prepare(folder):
            with contextlib.closing(sqlite3.connect(f"{folder}/test.db")) as db:
                db.execute("CREATE TABLE invoices (id INTEGER)")
                db.commit()

        self.starts_without("(?i)other|not .*gpu-monitor|something else", prepare)

    def test_a_file_that_is_damaged_behind_its_head(self):
        def prepare(folder):
            with Server("--simulate", "100", folder=folder) as server:
                wait_for("rows", lambda: metric(server, "gpu_monitor_store_rows_total") > 0)
            with open(f"{folder}/test.db", "r+b") as f:
                f.seek(100)
                f.write(random.Random(5).randbytes(os.path.getsize(f.name) - 100))

        self.starts_without("(?i)malformed|damaged|corrupt", prepare)

    def test_a_lock_of_another_program(self):
        with tempfile.TemporaryDirectory() as folder, Server("--simulate", "8", folder=folder) as server:
            wait_for("rows", lambda: metric(server, "gpu_monitor_store_rows_total") > 0)
            with contextlib.closing(sqlite3.connect(f"{folder}/test.db", isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                wait_for("it is said", lambda: not database(server)["up"])
                self.assertRegex(database(server)["error"], "(?i)lock|busy")
                db.execute("ROLLBACK")
            wait_for("it works again", lambda: database(server)["up"])

    def test_another_process_of_ours_gets_another_port_and_no_database(self):
        with Server() as first, Server(folder=first.folder, port=free_port()) as second:
            self.assertIn(f"process {first.process.pid}", database(second)["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
