# SPDX-License-Identifier: MIT
"""Settings at the whole program: sources and their order, refusals with their place, what changes live, what they do."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from harness import CONTEXT, SERVER, Exporter, Server, metric, wait_for
from test_pages import dcgm

UUIDS = [f"GPU-1111111{n}-2222-3333-4444-555555555555" for n in range(10)]


def run(*args, cwd=None, **env):
    return subprocess.run([SERVER, *args], capture_output=True, text=True, cwd=cwd, timeout=20, check=False,
                          env={"PATH": os.environ["PATH"], **env})


def shown(text):
    """What --print-config prints: key -> (value, where it comes from)."""
    rows = [re.fullmatch(r"(#? ?)([a-z.-]+): (.*?) +# (.*)", line) for line in text.splitlines()]
    return {r[2]: (r[3], r[4]) for r in rows}


class Sources(unittest.TestCase):
    def test_later_sources_win_and_each_value_says_where_it_is_from(self):
        with tempfile.TemporaryDirectory() as folder:
            base, own = pathlib.Path(folder, "application.yml"), pathlib.Path(folder, "application-mine.yml")
            base.write_text("server: {port: 1001}\nlogging.level: warn\nsimulate.seed: 11\ncluster.name: base\n", encoding="utf-8")
            own.write_text("logging:\n  level: debug\nsimulate.seed: 12\ncluster.name: mine\n", encoding="utf-8")
            rows = shown(run("--print-config", "--profile", "development,mine", "--set", "cluster.name=flag", cwd=folder,
                             SIMULATE_SEED="13", CLUSTER_NAME="env", GPU_MANAGEMENT_MIG_AUTOCLEANUP="false").stdout)
            self.assertEqual(rows["gpu.management.metrics.batch-size"], ("500", "default"))
            self.assertEqual(rows["server.bind"][0], "127.0.0.1")
            self.assertIn("development", rows["server.bind"][1])
            self.assertEqual(rows["server.port"], ("1001", "application.yml:1:16"))
            self.assertEqual(rows["logging.level"][0], "debug")
            self.assertTrue(rows["logging.level"][1].endswith("application-mine.yml:2:10"), rows["logging.level"])
            self.assertEqual(rows["simulate.seed"], ("13", "SIMULATE_SEED"))
            self.assertEqual(rows["gpu.management.mig.auto-cleanup"], ("false", "GPU_MANAGEMENT_MIG_AUTOCLEANUP"))
            self.assertEqual(rows["cluster.name"][0], "flag")
            self.assertIn("--set", rows["cluster.name"][1])

    def test_the_documents_variables(self):
        rows = shown(run("--print-config", SPRING_PROFILES_ACTIVE="development,gpu-management", DB_HOST="oracle-db",
                         DB_USERNAME="gpu_admin", DB_PASSWORD="hunter2").stdout)
        self.assertEqual(rows["security.anonymous-local-role"][0], "admin")
        self.assertEqual(rows["simulate.gpus"][0], "24")
        self.assertEqual(rows["database.host"], ("oracle-db", "DB_HOST"))
        self.assertEqual(rows["database.username"], ("gpu_admin", "DB_USERNAME"))
        self.assertEqual(rows["database.password"][0], "******")
        # The first that is set counts, and a flag before both.
        rows = shown(run("--print-config", GPU_PROFILES_ACTIVE="staging", SPRING_PROFILES_ACTIVE="development").stdout)
        self.assertEqual((rows["security.anonymous-role"][0], rows["gpu.management.pool.max-devices"][0]), ("none", "8"))

    def test_the_documents_command_serves_and_warns_of_the_host(self):
        with Server(profile=None, env={"SPRING_PROFILES_ACTIVE": "development,gpu-management", "DB_HOST": "oracle-db",
                                       "DB_USERNAME": "gpu_admin", "DB_PASSWORD": "hunter2"}) as server:
            wait_for("24 simulated GPUs", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 24)
            self.assertIn("database.host 'oracle-db' is ignored", server.log())
            self.assertNotIn("hunter2", server.log())
            config = {s["key"]: s for s in server.api("/config")["items"]}
            self.assertEqual((config["database.password"]["value"], config["database.host"]["where"]), ("******", "DB_HOST"))
            self.assertEqual(server.api("/gpu/overview")["profile"], ["development", "gpu-management"])

    def test_what_is_printed_is_a_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = pathlib.Path(folder, "a.yml"), pathlib.Path(folder, "b.yml")
            first.write_text("""
gpu.management:
  supported-models: [H100_80GB, A100_PCIE_80GB]
  metrics: {collection-interval: 90s}
  cost: {currency: EUR, default-rates: {H100_80GB: 7.25, RTX4090: 0}}
  pool: {node-selector: {disk: "ssd, fast", "nvidia.com/gpu.product": 'A "quoted" one'}, nodes: [a-1, b-2]}
cluster.name: "true"
server: {bind: "::1", context-path: /}
scrape:
  targets:
    - http://worker-01:9400/metrics
    - {url: "https://worker-02:9400/metrics?a=b", node: worker-02, interval: 10s}
    - {url: "http://h:1/m", bearer-token-file: '/a b/"c"'}
  max-page-bytes: 1.5MiB
database.url: "sqlite:/tmp/a b#c.db"
security.local-addresses: [172.17.0.0/16, "fd00::1"]
simulate: {models: "H100_80GB=8,T4=1", gpus: 9}
""", encoding="utf-8")
            printed = run("--print-config", "--config", str(first))
            self.assertEqual(printed.returncode, 0, printed.stderr)
            second.write_text(printed.stdout, encoding="utf-8")
            again = run("--print-config", "--config", str(second))
            self.assertEqual(again.returncode, 0, again.stderr)
            once, twice = shown(printed.stdout), shown(again.stdout)
            self.assertEqual({k: v[0] for k, v in once.items()}, {k: v[0] for k, v in twice.items()})
            self.assertGreater(len(once), 50)
            self.assertIn('"A \\"quoted\\" one"', once["gpu.management.pool.node-selector"][0])


class Refusals(unittest.TestCase):
    def test_each_mistake_ends_with_2_and_its_place(self):
        for text, place, words in (
                ("server:\n  prt: 80\n", "2:3", "server.port"),  # the nearest name is offered
                ("server.port: 80\nserver:\n  port: 81\n", "3:3", "twice"),
                ("server.port: [80]\n", "1:14", "list"),
                ("server.port: eighty\n", "1:14", "whole number"),
                ("server.port: 65536\n", "1:14", "65535"),
                ("gpu.management.enabled: \"true\"\n", "1:25", "true or false"),
                ("gpu.management.metrics.collection-interval: 2h\n", "1:45", "1h"),
                ("gpu.management.cost.default-rates: {H100_80GB: -1}\n", "1:", "-1"),
                ("gpu.management.cost.default-rates: {H100_80GB: 1, H100_80GB: 2}\n", "1:51", "twice"),
                ("scrape.targets: [ftp://x/]\n", "1:18", "http://"),
                ("scrape.targets:\n- url: http://a/\n  nod: b\n", "3:3", "unknown key 'nod'"),
                ("scrape.targets: ['http://u:p@h/']\n", "1:18", "password"),
                ("scrape.max-page-bytes: 1KiB\n", "1:24", "64KiB"),
                ("security.anonymous-role: viewer\n", "1:26", "development"),
                ("database.url: mysql:x\n", "1:15", "sqlite:"),
                ("a: &x 1\n", "1:4", "anchor"),
                ("server: {port: 80\n", "", "application.yml"),
                ("\tserver: 1\n", "1:1", "application.yml")):
            with tempfile.TemporaryDirectory() as folder:
                pathlib.Path(folder, "application.yml").write_text(text, encoding="utf-8")
                ended = run(cwd=folder)
                self.assertEqual(ended.returncode, 2, (text, ended.stderr))
                self.assertIn(f"application.yml:{place}", ended.stderr, text)
                self.assertIn(words, ended.stderr, text)
                self.assertEqual(len(ended.stderr.strip().splitlines()), 1, ended.stderr)

    def test_flags_and_variables_say_their_name(self):
        for args, env, words in ((["--set", "server.port"], {}, "--set"), (["--set", "server.port=x"], {}, "--set: server.port: 'x'"),
                                 (["--simulate", "-1"], {}, "200000"), (["--simulate"], {}, "--simulate wants a value"),
                                 (["--config", "/none.yml"], {}, "/none.yml"), (["extra"], {}, "'extra' is not expected"),
                                 ([], {"SERVER_PORT": "x"}, "SERVER_PORT"), (["--profile", "../x"], {}, "../x")):
            ended = run(*args, **env)
            self.assertEqual(ended.returncode, 2, (args, ended.stderr))
            self.assertIn(words, ended.stderr, args)


class Live(unittest.TestCase):
    def change(self, server, text):
        self.path.write_text(text, encoding="utf-8")
        count = server.log().count("settings read again") + server.log().count("settings refused")
        server.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: server.log().count("settings read again") + server.log().count("settings refused") > count)

    def devices(self, server):
        return {d["model"]: d for d in server.api("/gpu/devices")["items"]}

    def test_models_rates_and_pool(self):
        boards = [("NVIDIA H100 80GB HBM3", "node-a"), ("NVIDIA A100 80GB PCIe", "node-a"), ("Tesla T4", "node-b")]
        with tempfile.TemporaryDirectory() as folder, Exporter(b"".join(
                dcgm(10, node="node-a", gpu=i, uuid=UUIDS[i], product=p) for i, (p, n) in enumerate(boards) if n == "node-a")) as one, \
                Exporter(dcgm(10, node="node-b", uuid=UUIDS[9], product="Tesla T4")) as two:
            common = (f"simulate.gpus: 0\nscrape.targets: ['{one.url}', '{two.url}']\n"
                      "gpu.management.metrics.collection-interval: 1s\n")
            self.path = pathlib.Path(folder, "application.yml")
            self.path.write_text(common, encoding="utf-8")
            with Server("--config", str(self.path), folder=folder) as server:
                wait_for("three boards", lambda: len(self.devices(server)) == 3)
                self.assertEqual({m: (d["managed"], d["hourlyCost"]) for m, d in self.devices(server).items()},
                                 {"H100_80GB": (True, 8), "A100_80GB": (True, 6), "T4": (True, None)})
                overview = server.api("/gpu/overview")
                self.assertEqual((overview["costPerHour"], overview["unpricedDevices"], overview["managedDevices"]), (14, 1, 3))
                # A variant's own rate goes before its model's; 0 is a rate, none is not 0.
                self.change(server, common + "gpu.management:\n  supported-models: [A100_PCIE_80GB, T4]\n"
                            "  cost.default-rates: {A100_80GB: 6, A100_PCIE_80GB: 4.5, T4: 0}\n")
                wait_for("new rates", lambda: {m: (d["managed"], d["hourlyCost"]) for m, d in self.devices(server).items()} ==
                         {"H100_80GB": (False, None), "A100_80GB": (True, 4.5), "T4": (True, 0)})
                # A pool limits what is managed further.
                self.change(server, common + "gpu.management:\n  pool.nodes: [node-b]\n  cost.enabled: false\n")
                wait_for("the pool", lambda: {m: (d["managed"], d["hourlyCost"]) for m, d in self.devices(server).items()} ==
                         {"H100_80GB": (False, None), "A100_80GB": (False, None), "T4": (True, None)})
                self.assertEqual((server.api("/gpu/overview")["costPerHour"], server.api("/gpu/overview")["unpricedDevices"]), (None, 3))
                self.assertNotIn("\ngpu_hourly_cost", server.get("/metrics").body.decode())
                self.assertEqual(metric(server, 'gpu_utilization{device_id="node-b-GPU-00",model="T4"}'), 10)
                rows = [a for a in server.api("/audit")["items"] if a["action"] == "config.reload"]
                self.assertEqual([r["actor"] for r in rows], ["system", "system"])
                self.assertEqual((rows[0]["before"]["gpu.management.cost.enabled"], rows[0]["after"]["gpu.management.cost.enabled"],
                                  rows[0]["after"]["gpu.management.pool.nodes"]), ("true", "false", "[node-b]"))

    def test_what_waits_for_a_restart_and_what_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            self.path = pathlib.Path(folder, "application.yml")
            self.path.write_text("logging.level: info\n", encoding="utf-8")
            with Server("--config", str(self.path), "--simulate", "8", folder=folder) as server:
                self.change(server, "logging.level: debug\ncluster.name: other\n")
                self.assertRegex(server.log(), r'level=warn .*waits for a restart.* key=cluster.name')
                self.assertRegex(server.log(), r'level=info .*setting changed.* key=logging.level')
                self.assertEqual({d["cluster"] for d in wait_for("devices", lambda: server.api("/gpu/devices")["items"])}, {"default"})
                config = {s["key"]: s["value"] for s in server.api("/config")["items"]}
                self.assertEqual((config["cluster.name"], config["logging.level"]), ("default", "debug"))
                self.change(server, "logging.level: loud\n")
                self.assertRegex(server.log(), r"settings refused.*application.yml:1:16")
                self.assertEqual({s["key"]: s["value"] for s in server.api("/config")["items"]}["logging.level"], "debug")

    def test_management_switched_off(self):
        with tempfile.TemporaryDirectory() as folder, Exporter(dcgm(42)) as exporter:
            common = (f"scrape.targets: ['{exporter.url}']\nsimulate.gpus: 8\n"
                      "gpu.management.metrics.collection-interval: 1s\ngpu.management.enabled: %s\n")
            self.path = pathlib.Path(folder, "application.yml")
            self.path.write_text(common % "true", encoding="utf-8")
            with Server("--config", str(self.path), folder=folder) as server:
                wait_for("all boards", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 9)
                wait_for("rows", lambda: metric(server, "gpu_monitor_store_rows_total") > 8)
                self.change(server, common % "false")
                wait_for("no targets", lambda: server.api("/scrape/targets")["items"] == [])
                wait_for("it is said", lambda: [server.api("/gpu/overview")[k] for k in (
                    "managementEnabled", "totalGpuDevices", "managedDevices", "simulated")] == [False, 9, 0, False])
                hits, rows = exporter.hits, metric(server, "gpu_monitor_store_rows_total")
                wait_for("values that grow old", lambda: server.api("/gpu/devices/node-a-GPU-00")["quality"].get("utilization") == "stale")
                self.assertLessEqual((exporter.hits - hits, metric(server, "gpu_monitor_store_rows_total") - rows), (1, 9))
                self.change(server, common % "true")
                wait_for("it goes on", lambda: exporter.hits > hits + 1 and server.api("/gpu/overview")["simulated"])
                self.change(server, common % "false")
                self.assertEqual(server.stop(), 0)
            # From the start: nothing is asked, what is stored is served.
            with Server("--config", str(self.path), folder=folder) as server:
                hits = exporter.hits
                self.assertIn("gpu.management.enabled is false", server.log())
                self.assertEqual(server.api("/gpu/overview")["totalGpuDevices"], 9)
                known = server.api("/gpu/devices/node-a-GPU-00")
                self.assertEqual((known["managed"], known["health"], known["utilization"]), (False, "unknown", None))
                series = server.api("/gpu/devices/node-a-GPU-00/metrics?from=now-10m&metric=utilization")["series"][0]
                self.assertIn(42, series["avg"])
                self.assertEqual(exporter.hits, hits)
                self.assertEqual(server.get(f"{CONTEXT}/readyz").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
