# SPDX-License-Identifier: MIT
"""Pages of real forms through the whole program: what REST shows is what stands on the page."""
import contextlib
import gzip
import json
import subprocess
import tempfile
import time
import unittest

from harness import CONTEXT, ROOT, Exporter, Server, metric, wait_for

DATA = ROOT / "tests" / "data" / "dcgm"
# Pages whose own host name is wanted as the node's; the others share one and are told their node.
OWN_NAME = {"newest-labels": "node-a", "mig-parent-and-slices": "node-b", "exported": "node-c", "agent": "node-d"}


@contextlib.contextmanager
def scraping(targets, *more, **kinds):
    """A server that scrapes these once a second: URLs, or maps as in a targets file."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(targets, f)
        f.flush()
        with Server("--set", f"scrape.targets-file={f.name}", "--set", "gpu.management.metrics.collection-interval=1s", *more,
                    **kinds) as server:
            yield server


def device(server, name):
    return server.api(f"/gpu/devices/{name}")


class Forms(unittest.TestCase):
    """Every page of tests/data/dcgm at once, each a target of its own, its boards with UUIDs of their own."""

    @classmethod
    def setUpClass(cls):
        cls.exporters, targets = [], []
        for number, path in enumerate(sorted(DATA.glob("*.txt"))):
            text = path.read_text(encoding="utf-8").replace("GPU-a000000", f"GPU-a{number:02}000")
            # Each other one is packed: what stands on a page does not depend on it.
            exporter = Exporter(packed(text.encode()) if number % 2 else text.encode())
            cls.exporters.append(exporter)
            targets.append(exporter.url if path.stem in OWN_NAME else {"url": exporter.url, "node": path.stem})
        cls.scraping = scraping(targets)
        cls.server = cls.scraping.__enter__()
        wait_for("all pages", lambda: len(cls.server.api("/gpu/devices")["items"]) == 14)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0
        cls.scraping.__exit__(None, None, None)
        for exporter in cls.exporters:
            exporter.close()

    def shows(self, name, missing=None, **expected):
        d = device(self.server, name)
        self.assertEqual({k: d[k] for k in expected}, expected, name)
        for field, why in (missing or {}).items():
            self.assertEqual((d[field], d["quality"].get(field)), (None, why), (name, field))
        return d

    def slices(self, d):
        return {i["id"].rsplit("-", 1)[1]: (i["profile"], i["utilization"], i["memoryUsedMiB"]) for i in d["migInstances"]}

    def test_two_boards_one_with_a_pod(self):
        self.shows("pods-2gpu-GPU-00", model="T4", migCapable=False, migEnabled=False, utilization=87, memoryUsedMiB=13054,
                   memoryFreeMiB=2048, memoryTotalMiB=15102, temperature=61, powerWatts=68.412, energyJoules=9022652.123,
                   smClockMHz=1590, memoryClockMHz=5000, memoryCopyUtilization=41, encoderUtilization=0, decoderUtilization=5,
                   grEngineActive=87.12, tensorActive=25.11, dramActive=40.25, pcieTxBytesPerSecond=123456789,
                   pcieRxBytesPerSecond=987654321, pcieReplays=3, xid=0, driverVersion="525.60.13", health="ok", derived=[],
                   pods=[{"namespace": "research", "pod": "bert-0", "container": "trainer"}],
                   missing={"memoryTemperature": "unsupported", "smActive": "not_reported"})
        # Empty pod labels are none.
        self.shows("pods-2gpu-GPU-01", utilization=0, memoryUsedMiB=2, temperature=34, powerWatts=9.87, xid=31, pods=[])

    def test_newest_labels(self):
        self.shows("node-a-GPU-02", gpuIndex=2, nodeName="node-a", model="H100_80GB", variant="H100_SXM5_80GB", utilization=97,
                   memoryUsedMiB=70012, memoryTotalMiB=81559, memoryReservedMiB=1014, temperature=66, memoryTemperature=83,
                   powerWatts=612.507, remappedRowsUncorrectable=1, remappedRowsCorrectable=2, rowRemapFailure=0,
                   nvlinkBytesPerSecond=201000000000, xid=79, health="failed", pciBusId="00000000:17:00.0",
                   serial="1650023000123", driverVersion="580.65.06", hourlyCost=8,
                   pods=[{"namespace": "serving", "pod": "llm-0", "container": "srv"}])

    def test_mig_board_values_once_and_slices_apart(self):
        d = self.shows("mig-4-instances-GPU-00", model="A100_40GB", migEnabled=True, powerWatts=214.25, temperature=41,
                       memoryTemperature=44, smClockMHz=1410, energyJoules=27151.028, memoryUsedMiB=29214, xid=0,
                       derived=["utilization", "memoryUsedMiB"], missing={"grEngineActive": "not_reported"})
        # (99.99 + 0 + 2 * 50 + 3 * 25) / 7
        self.assertAlmostEqual(d["utilization"], 39.28, delta=0.015)
        self.assertEqual(self.slices(d), {"1.0": ("3g.20gb", 25, 19967), "5.0": ("2g.10gb", 50, 4856),
                                          "7.0": ("1g.5gb", 99.99, 4384), "8.0": ("1g.5gb", 0, 7)})
        self.assertEqual([i["profileId"] for i in d["migInstances"]], ["A100_3G20GB", "A100_2G10GB", "A100_1G5GB", "A100_1G5GB"])

    def test_mig_parent_beside_slices(self):
        d = self.shows("node-b-GPU-00", migEnabled=True, powerWatts=409.692, temperature=61, memoryUsedMiB=4845,
                       memoryTotalMiB=40535, grEngineActive=99.56, xid=43)
        self.assertEqual(self.slices(d), {"13.0": ("1g.5gb", 99.57, None), "14.0": ("1g.5gb", None, None)})
        self.assertEqual(d["migInstances"][1]["quality"], {"utilization": "unsupported", "memoryUsedMiB": "not_reported"})

    def test_mig_without_instances(self):
        self.shows("mig-empty-GPU-00", migEnabled=True, migInstances=[], powerWatts=75.96, temperature=32, smClockMHz=1410,
                   missing={"utilization": "unsupported"})

    def test_names_of_1x(self):
        self.shows("old-names-GPU-00", model="A100_80GB", variant="A100_PCIE_80GB", temperature=55, utilization=73,
                   memoryUsedMiB=1000, memoryFreeMiB=80000, memoryTotalMiB=81000, pcieTxBytesPerSecond=512000,
                   pods=[{"namespace": "ns", "pod": "p-0", "container": "c"}])
        d = self.shows("old-names-GPU-01", migEnabled=True, pods=[])
        self.assertAlmostEqual(d["utilization"], (3 * 12.5 + 4 * 75) / 7, delta=0.01)
        self.assertEqual(self.slices(d), {"1.0": ("3g.40gb", 12.5, None), "2.0": ("4g.40gb", 75, None)})
        self.assertEqual(d["migInstances"][0]["pods"], [{"namespace": "ns", "pod": "p-1", "container": "c"}])

    def test_blank_numbers_are_no_values(self):
        self.shows("blanks-GPU-00", dramActive=100, pcieReplays=5000000000, memoryTotalMiB=15360, health="ok",
                   missing={"utilization": "unsupported", "temperature": "unsupported", "smActive": "unsupported",
                            "memoryCopyUtilization": "error", "powerWatts": "error", "energyJoules": "error",
                            "smClockMHz": "error", "memoryUsedMiB": "error", "grEngineActive": "error",
                            "memoryClockMHz": "error", "encoderUtilization": "error", "decoderUtilization": "error"})

    def test_exported_labels_carry_the_workload(self):
        self.shows("node-c-GPU-00", utilization=55, pods=[{"namespace": "shop", "pod": "web-1", "container": "infer"}])
        # Without them pod and namespace are the exporter's own.
        self.shows("node-c-GPU-01", utilization=0, pods=[])

    def test_time_slicing_repeats_a_board(self):
        d = self.shows("shared-GPU-00", utilization=66, powerWatts=50, retiredPages=3, migInstances=[])
        self.assertEqual([p["pod"] for p in d["pods"]], ["a", "b", "c"])

    def test_many_label_fields(self):
        self.shows("many-labels-GPU-00", model="T4", productName="Tesla T4", memoryTotalMiB=15109, powerLimitWatts=65.5,
                   fanPercent=35, serial="1565220001234", driverVersion="470.182.03", utilization=33, derived=["utilization"],
                   throttleReasons=["sw_power_cap", "hw_power_brake_slowdown"], health="degraded", healthReasons=["throttled"])

    def test_agent_page_and_the_dcgm_families_on_it(self):
        d = self.shows("node-d-GPU-05", source="agent", model="H100_80GB", utilization=36.53, derived=["utilization"],
                       memoryUsedMiB=40960, memoryTotalMiB=81559, temperature=61, powerWatts=412.507, energyJoules=123456.789,
                       smClockMHz=1980, throttleReasons=["sw_power_cap"], migEnabled=True, serial="1650023000999",
                       pciBusId="00000000:4A:00.0", sampledAt="2025-11-24T16:00:00.250Z",
                       missing={"encoderUtilization": "unsupported", "memoryFreeMiB": "not_reported"})
        self.assertEqual(self.slices(d), {"2.0": ("3g.40gb", 85.23, 1024)})
        one = d["migInstances"][0]
        self.assertEqual((one["uuid"], one["placementStart"], one["placementSize"], one["memoryTotalMiB"], one["pods"]),
                         ("MIG-c0000000-1111-2222-3333-0123456789ab", 4, 4, 40448,
                          [{"namespace": "serving", "pod": "llm-1", "container": "vllm"}]))
        # The exporter's families on the same page are of another board, which is not there.
        self.assertEqual([x["deviceId"] for x in self.server.api("/gpu/devices?nodeName=node-d")["items"]], ["node-d-GPU-05"])

    def test_the_sum_of_it(self):
        wait_for("all counted", lambda: self.server.api("/gpu/overview")["targets"] == {"total": 11, "up": 11, "down": 0})
        overview = self.server.api("/gpu/overview")
        self.assertEqual(overview["devicesByModel"],
                         {"A100_40GB": 2, "A100_80GB": 2, "H100_80GB": 2, "T4": 7, "UNKNOWN": 1})
        self.assertEqual((overview["totalGpuDevices"], overview["totalMigInstances"], overview["migEnabledDevices"]), (14, 9, 5))
        # bert-0, llm-0, p-0, p-1 on two slices, web-1, a, b, c, llm-1
        self.assertEqual(overview["activeAllocations"], 9)
        self.assertEqual((overview["costPerHour"], overview["unpricedDevices"], overview["unmeasuredDevices"]), (28, 10, 2))

    def test_metrics_of_such_pages_are_clean(self):
        text = self.server.get("/metrics").body
        check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
        self.assertEqual((check.returncode, (check.stdout + check.stderr).decode()), (0, ""))
        lines = text.decode().splitlines()
        self.assertIn('gpu_utilization{device_id="pods-2gpu-GPU-00",model="T4"} 87', lines)
        self.assertIn('gpu_temperature{device_id="pods-2gpu-GPU-00"} 61', lines)
        self.assertIn('mig_allocation_ratio{profile="1g.5gb"} 0', lines)
        self.assertIn('mig_allocation_ratio{profile="3g.40gb"} 1', lines)
        self.assertIn('gpu_hourly_cost{team="__unallocated__",project="__unallocated__"} 28', lines)
        self.assertIn('gpu_monitor_mig_instance_utilization_ratio{device_id="mig-4-instances-GPU-00",'
                      'mig_instance_id="mig-4-instances-GPU-00-MIG-7.0",profile="1g.5gb"} 0.9999', lines)
        # Not measured is no line.
        self.assertFalse([l for l in lines if l.startswith("gpu_utilization") and "blanks" in l])


def packed(text):
    def page(handler):
        body = gzip.compress(text) if "gzip" in handler.headers.get("Accept-Encoding", "") else b"gzip was not asked for"
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain; version=0.0.4")
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return page


UUID = "GPU-11111111-2222-3333-4444-555555555555"


def dcgm(utilization, node="node-a", gpu=0, uuid=UUID, product="NVIDIA H100 80GB HBM3", temperature=61):
    labels = f'gpu="{gpu}",UUID="{uuid}",device="nvidia{gpu}",modelName="{product}",Hostname="{node}"'
    return (f"# TYPE DCGM_FI_DEV_GPU_UTIL gauge\nDCGM_FI_DEV_GPU_UTIL{{{labels}}} {utilization}\n"
            f"# TYPE DCGM_FI_DEV_GPU_TEMP gauge\nDCGM_FI_DEV_GPU_TEMP{{{labels}}} {temperature}\n").encode()


def mig(profile, share, node="node-a", gi=1):
    labels = (f'gpu="0",UUID="{UUID}",device="nvidia0",modelName="NVIDIA A100-SXM4-40GB",GPU_I_PROFILE="{profile}",'
              f'GPU_I_ID="{gi}",Hostname="{node}"')
    return f"# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge\nDCGM_FI_PROF_GR_ENGINE_ACTIVE{{{labels}}} {share}\n".encode()


def agent(share):
    """A page of our agent: its samples carry their own time."""
    def page(handler):
        now = time.time()
        body = (f'gpu_agent_info{{version="0.1.0",hostname="node-a"}} 1\n'
                f'gpu_agent_device_info{{uuid="{UUID}",index="0",name="NVIDIA H100 80GB HBM3",mig_mode="off"}} 1\n'
                f'gpu_agent_sample_timestamp_seconds{{uuid="{UUID}"}} {now:.3f}\n'
                f'gpu_agent_utilization_ratio{{uuid="{UUID}"}} {share}\n').encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain; version=0.0.4")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return page


def measured(server, name, metric_name="utilization"):
    """The different values of the last ten minutes, in the order they came; those of one second rise in these tests."""
    series = server.api(f"/gpu/devices/{name}/metrics?metric={metric_name}&from=now-10m&step=1s")["series"][0]
    values = []
    for bucket in zip(series["min"], series["max"]):
        for v in bucket:
            if v is not None and (not values or values[-1] != v):
                values.append(v)
    return values


class Sources(unittest.TestCase):
    def test_the_better_source_wins_and_the_other_waits(self):
        with Exporter(dcgm(20)) as exporter, Exporter(agent(0.8)) as ours:
            ours.page, ours.status = b"not yet", 503
            with scraping([exporter.url, ours.url]) as server:
                wait_for("the exporter's", lambda: device(server, UUID)["utilization"] == 20)
                ours.page, ours.status = agent(0.8), 200
                wait_for("the agent's", lambda: device(server, UUID)["utilization"] == 80)
                first, seen, hits = server.api("/gpu/fleet")["seq"], set(), exporter.hits
                while server.api("/gpu/fleet")["seq"] < first + 3 or exporter.hits < hits + 3:
                    d = device(server, UUID)
                    seen.add((d["utilization"], d["source"]))
                self.assertEqual(seen, {(80, "agent")})
                self.assertEqual(len(server.api("/gpu/devices")["items"]), 1)
                ours.page, ours.status = b"gone", 503
                wait_for("the exporter's again", lambda: device(server, UUID)["utilization"] == 20)
                ours.page, ours.status = agent(0.9), 200
                wait_for("the agent's at once", lambda: device(server, UUID)["utilization"] == 90)
                said = [l for l in server.log().splitlines() if "another source takes over" in l]
                self.assertEqual(len(said), 3, said)
                self.assertIn(exporter.url, said[0])

    def test_two_nodes_that_claim_one_board_are_said(self):
        with Exporter(dcgm(20)) as one, Exporter(dcgm(70, node="node-z")) as two:
            two.status = 503
            with scraping([one.url, two.url]) as server:
                wait_for("the first", lambda: device(server, UUID)["utilization"] == 20)
                two.status = 200
                wait_for("it is said", lambda: "two nodes claim one device" in server.log())
                self.assertEqual(device(server, UUID)["deviceId"], "node-a-GPU-00")
                one.status = 503
                wait_for("the other takes over", lambda: device(server, UUID)["deviceId"] == "node-z-GPU-00")
                self.assertEqual(server.api("/gpu/overview")["totalGpuDevices"], 1)
                self.assertEqual(measured(server, "node-z-GPU-00"), [20, 70])

    def test_a_board_that_moves_keeps_its_history(self):
        with tempfile.TemporaryDirectory() as folder, Exporter(dcgm(11)) as exporter:
            with scraping([exporter.url], folder=folder) as server:
                wait_for("first place", lambda: measured(server, "node-a-GPU-00") == [11])
                exporter.page = dcgm(22, gpu=3)
                wait_for("other index", lambda: measured(server, "node-a-GPU-03") == [11, 22])
                exporter.page = dcgm(33, node="node-b", gpu=1)
                wait_for("other node", lambda: measured(server, "node-b-GPU-01") == [11, 22, 33])
                self.assertEqual(server.get(f"{CONTEXT}/api/v1/gpu/devices/node-a-GPU-00").status, 404)
                self.assertEqual([n["name"] for n in server.api("/gpu/nodes")["items"]], ["node-b"])
                self.assertEqual(server.log().count("device moved"), 2)
                self.assertEqual(server.stop(), 0)
            # The store knows it by its UUID too.
            with Server("--simulate", "0", folder=folder) as server:
                self.assertEqual(measured(server, UUID), [11, 22, 33])

    def test_a_slice_of_another_profile_begins_anew(self):
        with Exporter(mig("3g.20gb", 0.25)) as exporter, scraping([exporter.url]) as server:
            name = "node-a-GPU-00-MIG-1.0"
            wait_for("a slice", lambda: measured(server, name) == [25])
            exporter.page = mig("2g.10gb", 0.5)
            wait_for("another", lambda: measured(server, name) == [50])
            self.assertIn("MIG layout changed", server.log())
            exporter.page = mig("2g.10gb", 0.75)
            wait_for("which goes on", lambda: measured(server, name) == [50, 75])

    def test_unknown_products_become_models_of_their_own(self):
        with Exporter(dcgm(5, product="NVIDIA Q9000 Hyper 96GB-SHARED")) as exporter, scraping([exporter.url]) as server:
            d = wait_for("the board", lambda: server.api("/gpu/devices")["items"])[0]
            self.assertEqual((d["variant"], d["utilization"], d["hourlyCost"], d["migCapable"]), (None, 5, None, None))
            self.assertRegex(d["model"], r"^[A-Z0-9_]*Q9000[A-Z0-9_]*$")
            self.assertEqual(server.api("/gpu/overview")["devicesByModel"], {d["model"]: 1})

    def test_the_catalogue_says_null_for_what_it_does_not_know(self):
        with Server("--simulate", "0") as server:
            models = {m["variant"]: m for m in server.api("/gpu/models")["items"]}
            seed = {v: m["lifecycle"] for v, m in models.items() if m["seed"]}
            self.assertEqual(seed, {"GTX1080": "eol", "GTX1080_TI": "eol", "TITAN_XP": "eol", "RTX2080": "active",
                                    "RTX2080_TI": "active", "RTX3080": "active", "RTX3090": "active", "RTX4080": "active",
                                    "RTX4090": "active", "V100_16GB": None, "V100_32GB": None, "A100_PCIE_40GB": None,
                                    "A100_SXM4_80GB": None, "H100_PCIE_80GB": None})
            h100 = {p["profile"]: p for p in models["H100_SXM5_80GB"]["migProfiles"]}
            self.assertEqual([h100[p]["maxInstances"] for p in ("1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb")], [7, 3, 2, 1])
            self.assertEqual((h100["3g.40gb"]["placements"], h100["3g.40gb"]["placementSize"]), ([0, 4], 4))
            # A board whose table is known in part.
            part = models["RTX_PRO_5000_BLACKWELL"]
            self.assertIsNone(part["migPlacementUnits"])
            self.assertEqual({(p["memorySlices"], p["memoryMiB"] is None or p["memoryMiB"] > 0) for p in part["migProfiles"]},
                             {(None, True)})
            self.assertNotIn("-1", server.get(f"{CONTEXT}/api/v1/gpu/models").body.decode().replace("-1g", ""))

    def test_a_page_of_too_many_boards_is_refused_and_said(self):
        boards = b"".join(dcgm(1, gpu=i, uuid=f"GPU-{i:08}-2222-3333-4444-555555555555") for i in range(65))
        with Exporter(boards) as exporter, scraping([exporter.url]) as server:
            why = wait_for("the refusal", lambda: server.api("/scrape/targets")["items"][0]["error"])
            self.assertIn("64", why)
            self.assertEqual(server.api("/gpu/devices")["items"], [])

    def test_scraping_measures_itself(self):
        with Exporter(dcgm(5)) as exporter, scraping([exporter.url, "http://127.0.0.1:1/metrics"]) as server:
            wait_for("one up, one down", lambda: metric(server, 'gpu_monitor_scrape_targets{state="up"}') == 1 and
                     metric(server, 'gpu_monitor_scrape_targets{state="down"}') == 1)
            self.assertGreater(metric(server, "gpu_monitor_scrapes_total"), 0)
            self.assertGreater(metric(server, "gpu_monitor_scrape_failures_total"), 0)
            down = [t for t in server.api("/scrape/targets")["items"] if t["state"] == "down"][0]
            self.assertRegex(down["error"], "(?i)refused|connect")
            self.assertRegex(down["since"], r"^\d{4}-.*Z$")
            connects = exporter.connections
            wait_for("more scrapes", lambda: exporter.hits >= 4)
            self.assertEqual(exporter.connections, connects, "the connection is kept")


if __name__ == "__main__":
    unittest.main(verbosity=2)
