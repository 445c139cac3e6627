# SPDX-License-Identifier: MIT
"""The program as an operator meets it: the demo's answers, roles, restarts, reloads, bad starts."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import CONTEXT, SERVER, Exporter, Server, check_schema, free_port, wait_for


class Demo(unittest.TestCase):
    """24 simulated GPUs, as scripts/demo shows them."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--simulate", "24")
        wait_for("24 devices", lambda: cls.server.api("/gpu/overview")["totalGpuDevices"] == 24)
        cls.document = cls.server.api("/openapi.json")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0
        assert "level=error" not in cls.server.log(), cls.server.log()

    def test_overview_has_the_documents_five_fields_first(self):
        answer = self.server.get(f"{CONTEXT}/api/v1/gpu/overview")
        names = list(answer.json)
        self.assertEqual(names[:5], ["totalGpuDevices", "activeAllocations", "totalMigInstances", "overallGpuUtilization",
                                     "devicesByModel"])
        self.assertEqual(answer.json["devicesByModel"], {"H100_80GB": 8, "A100_80GB": 12, "RTX4090": 4})
        self.assertEqual(answer.json["totalMigInstances"], 42)
        self.assertTrue(0 < answer.json["overallGpuUtilization"] < 100)
        self.assertRegex(answer.body.decode(), r'"overallGpuUtilization":\d+(\.\d)?,')

    def test_every_get_answers_as_its_schema_says(self):
        device = self.server.api("/gpu/devices?limit=1")["items"][0]["deviceId"]
        checked = 0
        for path, methods in self.document["paths"].items():
            if "get" not in methods or "event-stream" in json.dumps(methods["get"]):
                continue
            content = methods["get"]["responses"]["200"]["content"]
            url = path.replace("{id}", device).replace("{name}", "worker-01")
            answer = self.server.get(CONTEXT + url)
            self.assertEqual(answer.status, 200, url)
            if "application/json" in content:
                check_schema(self.document, content["application/json"]["schema"], answer.json, url)
                checked += 1
        self.assertGreater(checked, 14)

    def test_every_problem_is_problem_json(self):
        for path, status, code in (("/gpu/devices/none", 404, "not_found"), ("/nothing", 404, "not_found"),
                                   ("/gpu/devices?limit=0", 400, "invalid"), ("/gpu/devices?limt=5", 400, "invalid"),
                                   ("/gpu/devices?cursor=x", 400, "invalid"), ("/gpu/devices?sort=size", 400, "invalid")):
            answer = self.server.get(f"{CONTEXT}/api/v1{path}")
            self.assertEqual((answer.status, answer.json["code"]), (status, code), path)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            check_schema(self.document, self.document["components"]["schemas"]["Problem"], answer.json, path)
            self.assertEqual(answer.json["request_id"], answer.headers["X-Request-Id"])

    def test_pages_give_every_device_once_in_every_order(self):
        for sort in ("deviceId", "utilization", "-temperature", "health", "-hourlyCost"):
            seen, cursor = [], ""
            while True:
                page = self.server.api(f"/gpu/devices?limit=7&sort={sort}{cursor}")
                seen += [d["deviceId"] for d in page["items"]]
                if not page["next"]:
                    break
                cursor = f"&cursor={page['next']}"
                self.assertLess(len(seen), 100)
            # Values move between two pages of an order by value, so a device may be met twice or missed there.
            if sort in ("deviceId", "-hourlyCost"):
                self.assertEqual(len(seen), len(set(seen)), sort)
                self.assertEqual(len(seen), 24, sort)

    def test_instances_come_in_pages_of_the_size_asked_for(self):
        seen, cursor = [], ""
        while True:
            page = self.server.api(f"/gpu/mig-instances?limit=4{cursor}")
            self.assertLessEqual(len(page["items"]), 4)
            seen += [i["id"] for i in page["items"]]
            if not page["next"]:
                break
            cursor = f"&cursor={page['next']}"
        self.assertEqual((len(seen), len(set(seen))), (42, 42))

    def test_filters(self):
        def ids(query):
            return self.server.api(f"/gpu/devices?limit=1000&{query}")["items"]

        self.assertEqual(len(ids("model=H100_80GB")), 8)
        self.assertTrue(all(d["nodeName"] == "worker-01" for d in ids("nodeName=worker-01")))
        self.assertEqual(ids("nodeName=nowhere"), [])
        self.assertEqual(len(ids("q=WORKER-01-gpu-00")), 1)
        self.assertTrue(all(d["health"] == "ok" for d in ids("health=ok")))

    def test_missing_values_are_null_with_a_reason(self):
        listed = self.server.api("/gpu/devices?limit=1000")["items"]
        consumer = next(d for d in listed if d["model"] == "RTX4090")
        detail = self.server.api(f"/gpu/devices/{consumer['uuid']}")
        self.assertIn("tensorActive", detail["quality"], "a consumer board has no profiling values")
        for d in [*listed, detail]:
            for name, why in d["quality"].items():
                self.assertIsNone(d[name])
                self.assertIn(why, ("unsupported", "not_reported", "error", "stale"))
            for i in d["migInstances"]:
                for name in i["quality"]:
                    self.assertIsNone(i[name])
            self.assertEqual(d["migEnabled"], bool(d["migInstances"]), d["deviceId"])

    def test_it_moves_every_second(self):
        first = self.server.api("/gpu/overview")["asOf"]
        wait_for("a newer snapshot", lambda: self.server.api("/gpu/overview")["asOf"] != first, 5)

    def test_history_fills(self):
        device = self.server.api("/gpu/devices?limit=1")["items"][0]["deviceId"]

        def points():
            answer = self.server.api(f"/gpu/devices/{device}/metrics?metric=temperature,powerWatts&from=now-5m&step=1s")
            return [sum(v is not None for v in s["avg"]) for s in answer["series"]]

        wait_for("three seconds of history", lambda: min(points()) >= 3)
        bad = self.server.get(f"{CONTEXT}/api/v1/gpu/devices/{device}/metrics?metric=weight")
        self.assertEqual(bad.json["errors"][0]["pointer"], "?metric")

    def test_events_send_updates_and_heartbeats(self):
        columns = self.server.api("/gpu/fleet")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", f"{CONTEXT}/api/v1/events?topics=fleet,overview",
                           headers={"Last-Event-ID": str(columns["seq"])})
        response = connection.getresponse()
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        found, seq = {}, columns["seq"]
        while not {"fleet", "overview"} <= set(found) or found["fleet"] < 2:
            line = response.readline().decode()
            if line.startswith("event: "):
                event = line[7:].strip()
                found[event] = found.get(event, 0) + 1
            elif line.startswith("data: "):
                data = json.loads(line[6:])
                if event == "fleet":
                    self.assertEqual(data["baseSeq"], seq)
                    seq = data["seq"]
                    check_schema(self.document, self.document["components"]["schemas"]["FleetUpdate"], data)
                elif event == "overview":
                    check_schema(self.document, self.document["components"]["schemas"]["Overview"], data)
        connection.close()

    def test_metrics_have_the_documents_names(self):
        text = self.server.get("/metrics").body.decode()
        self.assertRegex(text, r'gpu_utilization\{device_id="worker-01-GPU-00",model="\w+"\} [\d.]+')
        self.assertRegex(text, r'gpu_temperature\{device_id="worker-01-GPU-00"\} [\d.]+')
        self.assertRegex(text, r'mig_allocation_ratio\{profile="[\dg.b+me]+"\} [\d.]+')
        self.assertRegex(text, r'gpu_hourly_cost\{team="__unallocated__",project="__unallocated__"\} [\d.]+')
        check = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False)
        self.assertEqual((check.returncode, check.stderr.decode() + check.stdout.decode()), (0, ""))

    def test_openmetrics_when_asked(self):
        answer = self.server.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        self.assertIn("application/openmetrics-text", answer.headers["Content-Type"])
        self.assertTrue(answer.body.endswith(b"# EOF\n"))

    def test_etag_gzip_and_head(self):
        plain = self.server.get(f"{CONTEXT}/api/v1/gpu/models")
        etag = plain.headers["ETag"]

        def unchanged():
            # A snapshot may have come in between: then the next answer names the ETag of the try after it.
            nonlocal etag
            again = self.server.get(f"{CONTEXT}/api/v1/gpu/models", headers={"If-None-Match": etag})
            etag = again.headers["ETag"]
            return again.status == 304 and again.body == b""

        wait_for("304", unchanged)
        packed = self.server.get(f"{CONTEXT}/api/v1/gpu/models", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertLess(len(packed.body), len(plain.body))
        head = self.server.request("HEAD", f"{CONTEXT}/api/v1/gpu/overview")
        self.assertEqual((head.status, head.body), (200, b""))

    def test_page_and_redirects(self):
        self.assertIn(self.server.get("/").status, (301, 302, 307, 308))
        page = self.server.get(f"{CONTEXT}/")
        self.assertEqual(page.status, 200)
        self.assertIn("default-src 'self'", page.headers["Content-Security-Policy"])
        self.assertEqual(self.server.get(f"{CONTEXT}/gpus/worker-01-GPU-00").body, page.body)
        self.assertEqual(self.server.get(f"{CONTEXT}/assets/gone-123.js").status, 404)

    def test_limits(self):
        self.assertEqual(self.server.get(f"{CONTEXT}/api/v1/gpu/devices?q=" + "x" * 8000).status, 414)
        self.assertEqual(self.server.get(f"{CONTEXT}/healthz", headers={"X-Long": "y" * 40000}).status, 431)
        big = self.server.request("POST", f"{CONTEXT}/api/v1/auth/keys", body=b"{" + b" " * (2 << 20))
        self.assertEqual(big.status, 413)


class Roles(unittest.TestCase):
    """Every route with every role, in the profile production."""

    def test_all_routes_with_all_roles(self):
        with Server("--simulate", "8", profile=None) as server:
            first = server.printed(r"(gmk_[A-Za-z0-9_-]{43})")
            self.assertIsNotNone(first, server.log())
            admin = first.group(1)
            self.assertNotIn(admin, server.log())
            keys = {"none": None, "admin": admin}
            for role in ("viewer", "operator"):
                made = server.request("POST", f"{CONTEXT}/api/v1/auth/keys", {"name": role, "role": role}, key=admin)
                self.assertEqual(made.status, 201, made.body)
                self.assertTrue(made.headers["Location"].startswith(f"{CONTEXT}/api/v1/auth/keys/"))
                keys[role] = made.json["key"]
            order = ["none", "viewer", "operator", "admin"]
            document = json.loads(server.get(f"{CONTEXT}/openapi.json").body)
            tried = 0
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    for role in order:
                        url = CONTEXT + path.replace("{id}", "999999").replace("{name}", "x")
                        if "/events" in path and order.index(role) >= order.index(operation["x-least-role"]):
                            continue
                        answer = server.request(method.upper(), url, key=keys[role])
                        least = operation["x-least-role"]
                        if order.index(role) >= order.index(least):
                            self.assertNotIn(answer.status, (401, 403), (method, path, role))
                        else:
                            self.assertEqual(answer.status, 401 if role == "none" else 403, (method, path, role))
                        tried += 1
            self.assertGreater(tried, 80)
            self.assertEqual(server.get(f"{CONTEXT}/api/v1/gpu/overview", key="gmk_" + "x" * 43).status, 401)
            self.check_keys_and_audit(server, admin, keys["viewer"])

    def check_keys_and_audit(self, server, admin, viewer):
        server.key = admin
        listed = server.api("/auth/keys")["items"]
        self.assertEqual([k["name"] for k in listed], ["first admin", "viewer", "operator"])
        self.assertNotIn(viewer, json.dumps(listed))
        gone = server.request("DELETE", f"{CONTEXT}/api/v1/auth/keys/{listed[1]['id']}")
        self.assertEqual((gone.status, gone.body), (204, b""))
        self.assertEqual(server.get(f"{CONTEXT}/api/v1/gpu/overview", key=viewer).status, 401)
        again = server.request("DELETE", f"{CONTEXT}/api/v1/auth/keys/{listed[1]['id']}")
        self.assertEqual(again.json["code"], "conflict")
        actions = [(a["actor"], a["action"], a["object"]) for a in server.api("/audit")["items"]]
        self.assertEqual(actions[0], ("first admin", "key.revoke", str(listed[1]["id"])))
        self.assertEqual(actions[-1], ("system", "key.create", "1"))
        bad = server.request("POST", f"{CONTEXT}/api/v1/auth/keys", {"name": "x", "role": "king", "color": 1})
        self.assertEqual(bad.status, 400)
        self.assertEqual({e["pointer"] for e in bad.json["errors"]}, {"/role", "/color"})

    def test_a_revoked_key_loses_its_streams(self):
        with Server("--simulate", "8", profile=None) as server:
            admin = server.printed(r"(gmk_[A-Za-z0-9_-]{43})").group(1)
            made = server.request("POST", f"{CONTEXT}/api/v1/auth/keys", {"name": "two", "role": "admin"}, key=admin)
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", f"{CONTEXT}/api/v1/events?topics=fleet,audit",
                               headers={"Authorization": f"Bearer {made.json['key']}"})
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            gone = server.request("DELETE", f"{CONTEXT}/api/v1/auth/keys/{made.json['info']['id']}", key=admin)
            self.assertEqual(gone.status, 204)
            while response.read(65536):
                pass
            connection.close()

    def test_no_key_is_made_while_the_server_is_open(self):
        with tempfile.TemporaryDirectory() as folder:
            with Server(folder=folder) as server:
                self.assertEqual(server.api("/auth/keys")["items"], [])
            with Server(folder=folder, profile="production") as server:
                self.assertIsNotNone(server.printed(r"gmk_[A-Za-z0-9_-]{43}"))

    def test_the_first_key_from_a_file_works_without_a_database(self):
        with tempfile.TemporaryDirectory() as folder:
            key, path = "gmk_" + "k" * 43, os.path.join(folder, "admin.key")
            with open(path, "w", encoding="utf-8") as f:
                f.write(key + "\n")
            for database in (f"sqlite:{folder}/a.db", f"sqlite:{folder}/missing/x.db"):
                with Server("--set", f"security.admin-key-file={path}", "--set", f"database.url={database}",
                            profile="production", folder=folder) as server:
                    self.assertEqual(server.api("/auth/me", key=key)["role"], "admin")
            self.assertEqual(os.stat(f"{folder}/a.db").st_mode & 0o777, 0o600)

    def test_a_key_survives_kill_9(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(profile=None, folder=folder)
            admin = server.printed(r"(gmk_[A-Za-z0-9_-]{43})").group(1)
            made = server.request("POST", f"{CONTEXT}/api/v1/auth/keys", {"name": "late", "role": "viewer"}, key=admin)
            self.assertEqual(made.status, 201)
            server.stop(signal.SIGKILL)
            server = Server(profile=None, folder=folder)
            self.assertEqual(server.get(f"{CONTEXT}/api/v1/gpu/overview", key=made.json["key"]).status, 200)
            self.assertEqual(server.stop(), 0)


PAGE = """# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %%).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-11111111-2222-3333-4444-555555555555",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-a"} %s
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-11111111-2222-3333-4444-555555555555",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-a"} 61
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-11111111-2222-3333-4444-555555555555",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-a"} 412.250000
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-11111111-2222-3333-4444-555555555555",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-a"} 40960
"""


class Scraping(unittest.TestCase):
    def scraping(self, exporter, *more):
        return Server("--set", f"scrape.targets=[{exporter.url}]", "--set", "gpu.management.metrics.collection-interval=1s",
                      "--set", "scrape.timeout=500ms", *more)

    def test_a_page_becomes_a_device_and_a_silent_target_is_said(self):
        with Exporter((PAGE % "83").encode()) as exporter, self.scraping(exporter) as server:
            device = wait_for("the device", lambda: server.api("/gpu/devices")["items"])[0]
            self.assertEqual(
                (device["deviceId"], device["model"], device["utilization"], device["temperature"], device["powerWatts"],
                 device["memoryUsedMiB"], device["source"]),
                ("node-a-GPU-00", "H100_80GB", 83, 61, 412.25, 40960, "dcgm"))
            self.assertEqual(server.api("/scrape/targets")["items"][0]["state"], "up")
            exporter.status = 503
            target = wait_for("the target is down",
                              lambda: [t for t in server.api("/scrape/targets")["items"] if t["state"] == "down"])[0]
            self.assertIn("503", target["error"])
            stale = wait_for("stale", lambda: [d for d in server.api("/gpu/devices")["items"] if d["utilization"] is None])
            self.assertEqual(stale[0]["quality"]["utilization"], "stale")
            exporter.status = 200
            exporter.page = (PAGE % "17").encode()
            wait_for("recovery", lambda: server.api("/gpu/devices")["items"][0]["utilization"] == 17)
            self.assertEqual(server.api("/gpu/devices")["items"][0]["health"], "ok")

    def test_sighup_takes_new_targets_over(self):
        with Exporter((PAGE % "50").encode()) as exporter, tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "application.yml")
            with open(config, "w", encoding="utf-8") as f:
                f.write("simulate.gpus: 0\nscrape: {targets: []}\ngpu.management.metrics.collection-interval: 1s\n")
            with Server("--config", config, folder=folder) as server:
                self.assertEqual(server.api("/scrape/targets")["items"], [])
                with open(config, "w", encoding="utf-8") as f:
                    f.write(f"simulate.gpus: 0\nscrape: {{targets: ['{exporter.url}']}}\ngpu.management.metrics.collection-interval: 1s\n")
                server.process.send_signal(signal.SIGHUP)
                wait_for("the new target", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 1)
                with open(config, "w", encoding="utf-8") as f:
                    f.write("scrape: {targts: []}\n")
                server.process.send_signal(signal.SIGHUP)
                wait_for("the refusal", lambda: "targts" in server.log())
                self.assertEqual(server.api("/gpu/overview")["totalGpuDevices"], 1)

    def test_two_clusters_are_told_apart(self):
        second = (PAGE % "20").replace("GPU-11111111", "GPU-22222222").encode()
        with Exporter((PAGE % "80").encode()) as one, Exporter(second) as two:
            targets = f"[{{url: '{one.url}', cluster: east}}, {{url: '{two.url}', cluster: west}}]"
            with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
                config.write(f"gpu.management.metrics.collection-interval: 1s\nscrape.targets: {targets}\n")
                config.flush()
                with Server("--config", config.name) as server:
                    wait_for("both", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 2)
                    self.assertEqual(server.api("/gpu/overview")["clusters"], ["east", "west"])
                    self.assertEqual(len(server.api("/gpu/devices?cluster=west")["items"]), 1)
                    text = server.get("/metrics").body.decode()
        for line in ('gpu_utilization{cluster="east",device_id="node-a-GPU-00",model="H100_80GB"} 80',
                     'gpu_utilization{cluster="west",device_id="node-a-GPU-00",model="H100_80GB"} 20',
                     'gpu_hourly_cost{cluster="west",team="__unallocated__",project="__unallocated__"} 8'):
            self.assertIn(line + "\n", text)

    def test_targets_file_is_read_again(self):
        with Exporter((PAGE % "50").encode()) as exporter, tempfile.TemporaryDirectory() as folder:
            targets = os.path.join(folder, "targets.yml")
            with open(targets, "w", encoding="utf-8") as f:
                f.write("[]\n")
            with Server("--set", f"scrape.targets-file={targets}", "--set",
                        "gpu.management.metrics.collection-interval=1s", folder=folder) as server:
                with open(targets + ".new", "w", encoding="utf-8") as f:
                    f.write(f"- url: {exporter.url}\n  node: renamed\n")
                os.rename(targets + ".new", targets)
                device = wait_for("the device", lambda: server.api("/gpu/devices")["items"])[0]
                self.assertEqual(device["deviceId"], "renamed-GPU-00")


class Starts(unittest.TestCase):
    def run_to_end(self, *args, **env):
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run([SERVER, "--set", f"server.port={free_port()}", *args], capture_output=True, text=True,
                                  cwd=folder, timeout=20, check=False, env={"PATH": os.environ["PATH"], **env})

    def test_bad_settings_end_with_2_and_the_place(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
            f.write("gpu:\n  management:\n    metrics:\n      collection-interval: fast\n")
            f.flush()
            run = self.run_to_end("--config", f.name)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn(f"{f.name}:4:28", run.stderr)
        for args, text in ((["--set", "server.prt=1"], "server.port"), (["--set", "server.port=99999"], "65535"),
                           (["--profile", "nowhere"], "nowhere"), (["--frobnicate"], "frobnicate")):
            run = self.run_to_end(*args)
            self.assertEqual(run.returncode, 2, args)
            self.assertIn(text, run.stderr, args)

    def test_help_version_and_print_config(self):
        self.assertIn("gpu.management.metrics.collection-interval", self.run_to_end("--help").stdout)
        self.assertRegex(self.run_to_end("--version").stdout, r"gpu-monitor \d+\.\d+\.\d+")
        shown = self.run_to_end("--print-config", "--set", "database.password=hunter2",
                                GPU_MANAGEMENT_METRICS_RETENTIONDAYS="9").stdout
        self.assertNotIn("hunter2", shown)
        self.assertRegex(shown, r"retention-days: 9\s+#.*GPU_MANAGEMENT_METRICS_RETENTIONDAYS")

    def test_a_taken_port_is_a_clear_error(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            run = self.run_to_end("--profile", "development", "--set", f"server.port={s.getsockname()[1]}")
            self.assertEqual(run.returncode, 1)
            self.assertIn(str(s.getsockname()[1]), run.stderr)

    def test_a_damaged_database_is_said_and_the_view_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "test.db"), "wb") as f:
                f.write(b"this is no database, " * 1000)
            with Server("--simulate", "8", folder=folder) as server:
                wait_for("devices", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 8)
                ready = server.get("/readyz").json
                self.assertEqual((ready["status"], ready["database"]["up"]), ("degraded", False))
                self.assertIn("not a database", ready["database"]["error"])
                self.assertEqual(server.get(f"{CONTEXT}/api/v1/auth/keys").json["code"], "unavailable")

    def test_a_second_program_does_not_get_the_database(self):
        with Server() as first, Server(folder=first.folder, port=free_port()) as second:
            self.assertFalse(second.get("/readyz").json["database"]["up"])
            self.assertIn(str(first.process.pid), second.get("/readyz").json["database"]["error"])

    def test_history_and_devices_survive_a_restart(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server("--simulate", "8", folder=folder)
            device = wait_for("devices", lambda: server.api("/gpu/devices")["items"])[0]["deviceId"]
            wait_for("rows", lambda: re.search(r"^gpu_monitor_store_rows_total [1-9]\d*$",
                                               server.get("/metrics").body.decode(), re.M))
            self.assertEqual(server.stop(), 0)
            with Server("--simulate", "0", folder=folder) as again:
                self.assertEqual(again.api("/gpu/overview")["totalGpuDevices"], 8)
                known = again.api(f"/gpu/devices/{device}")
                self.assertEqual((known["health"], known["utilization"]), ("unknown", None))
                series = again.api(f"/gpu/devices/{device}/metrics?metric=temperature&from=now-10m")["series"][0]
                self.assertTrue(any(v is not None for v in series["avg"]))

    def test_sigterm_answers_what_is_open_and_ends(self):
        with Server("--simulate", "8") as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", f"{CONTEXT}/api/v1/events")
            response = connection.getresponse()
            response.readline()
            server.process.send_signal(signal.SIGTERM)
            while response.read(65536):
                pass
            connection.close()
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
