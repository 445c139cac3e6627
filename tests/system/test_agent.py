# SPDX-License-Identifier: MIT
"""The agent as a whole on the simulated driver: what it shows, what it does while calls hang, fail, lie and crash, how it ends."""
import contextlib
import os
import signal
import socket
import statistics
import tempfile
import threading
import time
import unittest

from harness import Agent, LONG, Server, Sim, wait_for

HUNG = "gpu_agent_driver_hung"
STATE = "gpu_agent_device_state"
SAMPLES = "gpu_agent_device_samples_total"
MISSED = "gpu_agent_device_missed_samples_total"
NODE = """
gpus: 4
models: H100_SXM5_80GB
seed: 11
mig:
  - {gpu: 1, layout: "3g.40gb@4, 1g.10gb*4"}
processes:
  - {pid: 1, gpu: 0, memory: 20GiB, load: 60, name: trainer}
  - {pid: 1, gpu: 1, instance: 1, memory: 3GiB, load: 40, name: server}
"""


def uuids(page):
    """The boards by index."""
    return [labels["uuid"] for labels, _ in sorted(page.all("gpu_agent_device_info"), key=lambda row: int(row[0]["index"]))]


def board(page, family, uuid):
    return page.value(family, uuid=uuid, gi=None)


def state(page, uuid):
    return page.state(STATE, uuid=uuid)


def within(seconds, began):
    took = time.monotonic() - began
    assert took <= seconds, f"took {took:.2f} s, not {seconds}"


class Reader(threading.Thread):
    """Asks for /metrics on one connection, again and again, and notes how long each answer took."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ended, self.ms, self.problem = port, threading.Event(), [], None

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                f = s.makefile("rb")
                while not self.ended.wait(0.004):
                    begin = time.perf_counter()
                    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    length = None
                    if b" 200 " not in f.readline():
                        raise AssertionError("not 200")
                    while (line := f.readline().strip()):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    f.read(length)
                    self.ms.append((time.perf_counter() - begin) * 1000)
        except (OSError, AssertionError, TypeError) as problem:
            self.problem = problem

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(15)

    def p99(self):
        assert self.problem is None, self.problem
        assert len(self.ms) >= 50, f"only {len(self.ms)} answers"
        return statistics.quantiles(self.ms, n=100)[98]


LOST = {}


def setUpModule():
    stack = contextlib.ExitStack()
    unittest.addModuleCleanup(stack.close)
    sim = stack.enter_context(Sim(NODE))
    agent = stack.enter_context(Agent(sim))
    names = uuids(agent.page())
    agent.wait_for("events are waited for", lambda p: board(p, SAMPLES, names[3]) >= 10)
    sim.tell("lost 3")
    page = agent.wait_for("lost", lambda p: state(p, names[3]) == "lost" and
                          board(p, "gpu_agent_xid_last_code", names[3]) == 79, 5)
    assert [state(page, u) for u in names[:3]] == ["ok"] * 3, page.text
    wait_for("healthz says it", lambda: agent.get("/healthz").status == 503, 3)
    sim.tell("back 3")
    LOST.update(agent=agent, names=names, page=agent.page())


class OneNode(unittest.TestCase):
    """A world and an agent for all tests of a class; each leaves both as it found them."""
    scenario = NODE
    settings = ("--set", "hung-after=1s")

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.sim = cls.stack.enter_context(Sim(cls.scenario))
        cls.agent = cls.stack.enter_context(Agent(cls.sim, *cls.settings))
        cls.uuids = uuids(cls.agent.page())

    @classmethod
    def tearDownClass(cls):
        cls.sim.tell("clear all")
        assert cls.agent.stop() == 0, cls.agent.log()
        wait_for("all processes end", lambda: not cls.agent.left(), 5)

    def tearDown(self):
        self.sim.tell("clear all")
        self.agent.wait_for("as it was", lambda p: all(state(p, u) == "ok" for u in self.uuids) and
                            p.value("gpu_agent_children_abandoned") == 0)

    def wait_state(self, index, name, deadline_s=30):
        return self.agent.wait_for(f"GPU {index} is {name}", lambda p: state(p, self.uuids[index]) == name, deadline_s)


class Shows(OneNode):
    """Whatever is on the page is what the world says."""

    def test_boards_and_instances(self):
        world, page = self.sim.show(), self.agent.page()
        boards = world["gpus"]
        self.assertEqual(self.uuids, [b["uuid"] for b in boards])
        for b in boards:
            info = page.all("gpu_agent_device_info", uuid=b["uuid"])[0][0]
            self.assertEqual((info["name"], info["pci_bus_id"], info["mig_mode"]),
                             (b["name"], b["pciBusId"][4:].lower(), "on" if b["migMode"] else "off"))
            have = {(i["gi"], i["ci"], i["mig_uuid"], i["placement_start"], i["profile"])
                    for i, _ in page.all("gpu_agent_instance_info", uuid=b["uuid"])}
            want = {(str(gi["id"]), str(ci["id"]), ci["uuid"], str(gi["start"]), gi["profile"])
                    for gi in b["instances"] for ci in gi["computeInstances"]}
            self.assertEqual(have, want)
        self.assertEqual(len(page.all("gpu_agent_instance_info")), 5)
        self.assertEqual(page.value("gpu_agent_info", hostname="node-1"), 1)

    def test_values_follow_the_world(self):
        self.sim.tell("load 0 73")
        self.sim.tell("load 2 0")
        busy, idle = self.uuids[0], self.uuids[2]
        page = self.agent.wait_for("the load", lambda p: abs(board(p, "gpu_agent_utilization_ratio", busy) - 0.73) < 0.06)
        by_uuid = {b["uuid"]: b for b in self.sim.show()["gpus"]}
        self.assertLess(board(page, "gpu_agent_utilization_ratio", idle), 0.06)
        for uuid in (busy, idle):
            b = by_uuid[uuid]
            self.assertAlmostEqual(board(page, "gpu_agent_temperature_celsius", uuid), b["temperatureCelsius"], delta=3)
            self.assertAlmostEqual(board(page, "gpu_agent_power_watts", uuid), b["powerMilliwatts"] / 1000,
                                   delta=60 + b["powerMilliwatts"] / 10000)
            self.assertGreaterEqual(board(page, "gpu_agent_memory_used_bytes", uuid), b["memoryUsedBytes"] * 0.99)
        self.assertGreaterEqual(board(page, "gpu_agent_memory_used_bytes", busy), 20 << 30)
        self.sim.tell("load 0 auto")
        self.sim.tell("load 2 auto")

    def test_what_mig_takes_away_is_unsupported_and_slices_have_their_own(self):
        page, uuid = self.agent.page(), self.uuids[1]
        self.assertEqual(page.all("gpu_agent_utilization_ratio", uuid=uuid, gi=None), [])
        self.assertEqual(page.value("gpu_agent_unavailable", uuid=uuid, gi=None, field="utilization", reason="unsupported"), 1)
        slice_ = next(gi for gi in self.sim.show()["gpus"][1]["instances"] if gi["id"] == 1)
        page = self.agent.wait_for("profiling", lambda p: p.all("gpu_agent_graphics_engine_active_ratio", uuid=uuid, gi="1"))
        used = page.value("gpu_agent_memory_used_bytes", uuid=uuid, gi="1")
        self.assertGreaterEqual(used, 3 << 30)
        self.assertEqual(slice_["computeInstances"][0]["memoryUsedBytes"] <= used, True)

    def test_a_spike_between_two_scrapes_is_in_the_window(self):
        uuid = self.uuids[3]
        self.sim.tell("load 3 0")
        self.agent.wait_for("idle", lambda p: board(p, "gpu_agent_utilization_ratio", uuid) < 0.05)
        self.sim.tell("load 3 100")
        self.agent.wait_for("busy", lambda p: board(p, "gpu_agent_utilization_ratio", uuid) > 0.9)
        self.sim.tell("load 3 0")
        page = self.agent.wait_for("idle again", lambda p: board(p, "gpu_agent_utilization_ratio", uuid) < 0.05)
        self.assertGreater(board(page, "gpu_agent_utilization_ratio_window_max", uuid), 0.9)
        self.assertLess(board(page, "gpu_agent_utilization_ratio_window_min", uuid), 0.05)
        self.sim.tell("load 3 auto")

    def test_an_xid_is_told_with_its_time(self):
        before = time.time()
        self.sim.tell("xid 3 63")
        page = self.agent.wait_for("the XID", lambda p: board(p, "gpu_agent_xid_last_code", self.uuids[3]) == 63, 5)
        self.assertAlmostEqual(board(page, "gpu_agent_xid_last_timestamp_seconds", self.uuids[3]), before, delta=5)

    def test_layout_changes_are_seen(self):
        self.sim.tell("mig 2 on")
        self.sim.tell('layout 2 "1g.10gb*7"')
        self.agent.wait_for("seven slices", lambda p: len(p.all("gpu_agent_instance_info", uuid=self.uuids[2])) == 7, 5)
        self.sim.tell('layout 2 ""')
        self.sim.tell("mig 2 off")
        self.agent.wait_for("none", lambda p: not p.all("gpu_agent_instance_info", uuid=self.uuids[2]) and
                            p.all("gpu_agent_device_info", uuid=self.uuids[2], mig_mode="off"), 5)

    def test_other_routes(self):
        health = self.agent.get("/healthz")
        self.assertEqual(health.status, 200, health.body)
        wait_for("an inventory of all boards", lambda: all(u in self.agent.get("/v1/inventory").body.decode() for u in self.uuids), 3)
        mig = self.agent.get("/v1/mig")
        self.assertEqual(mig.status, 200)
        self.assertIn("stateHash", mig.body.decode())
        self.assertEqual(self.agent.get("/v1/nothing").status, 404)
        self.assertEqual(self.agent.request("POST", "/v1/pause", {}).status, 403, "changes only over the socket")


class Hangs(OneNode):
    def others_go_on(self, hung, seconds=1.0):
        """Boards that do not hang lose no sample."""
        before = self.agent.page()
        end = time.monotonic() + seconds
        rest = [u for i, u in enumerate(self.uuids) if i != hung]
        page = self.agent.wait_for("further samples", lambda p: time.monotonic() >= end and all(
            board(p, SAMPLES, u) >= board(before, SAMPLES, u) + 8 * seconds for u in rest))
        for u in rest:
            self.assertEqual(state(page, u), "ok")
            self.assertLessEqual(board(page, MISSED, u) - board(before, MISSED, u), 1)
        return page

    def test_one_board(self):
        uuid, before = self.uuids[0], self.agent.page()
        began = time.monotonic()
        fault = self.sim.fault("nvmlDeviceGetMemoryInfo gpu=0 block")
        page = self.wait_state(0, "hung", 3)
        within(3, began)
        self.assertEqual(board(page, HUNG, uuid), 1)
        self.assertEqual([board(page, HUNG, u) for u in self.uuids[1:]], [0, 0, 0])
        then = board(page, "gpu_agent_sample_timestamp_seconds", uuid)
        page = self.others_go_on(0)
        self.assertEqual(board(page, "gpu_agent_sample_timestamp_seconds", uuid), then, "old values keep their own time")
        self.assertEqual(page.value("gpu_agent_up"), 0)
        health = self.agent.get("/healthz")
        self.assertEqual(health.status, 503)
        self.assertIn(uuid, health.body.decode())
        self.assertEqual(self.sim.blocked(fault), 1, "nobody piles up")
        self.assertEqual(page.value("gpu_agent_children_abandoned"), 0, "the others need no new process")
        self.sim.tell(f"clear {fault}")
        page = self.wait_state(0, "ok", 3)
        self.assertEqual(board(page, "gpu_agent_device_hangs_total", uuid), board(before, "gpu_agent_device_hangs_total", uuid) + 1)
        self.assertEqual(self.agent.get("/healthz").status, 200)

    def test_a_held_lock_of_the_library(self):
        fault = self.sim.fault("nvmlDeviceGetMemoryInfo gpu=2 block-library")
        began = time.monotonic()
        page = self.agent.wait_for("a second process", lambda p: p.value("gpu_agent_children_abandoned") == 1 and
                                   state(p, self.uuids[2]) == "hung", 4)
        within(3.5, began)
        self.others_go_on(2)
        self.sim.tell(f"clear {fault}")
        page = self.wait_state(2, "ok", 5)
        self.agent.wait_for("the first one ends", lambda p: p.value("gpu_agent_children_abandoned") == 0, 5)
        self.assertEqual(page.value("gpu_agent_child_crashes_total"), 0)

    def test_a_held_lock_of_the_driver_and_answers_meanwhile(self):
        with Reader(self.agent.port) as calm:
            time.sleep(0.8)
        fault = self.sim.fault("nvmlDeviceGetTemperature* gpu=1 block-driver")
        with Reader(self.agent.port) as reader:
            page = self.agent.wait_for("all hang", lambda p: all(state(p, u) == "hung" for u in self.uuids), 5)
            self.assertLessEqual(page.value("gpu_agent_children_abandoned"), 2)
            self.assertEqual(self.agent.get("/healthz").status, 503)
            time.sleep(0.8)
        # 5 ms, or what this machine can do at all just now.
        self.assertLess(reader.p99(), max(5, 2 * calm.p99()))
        self.sim.tell(f"clear {fault}")
        self.agent.wait_for("all are back", lambda p: all(state(p, u) == "ok" for u in self.uuids), 10)

    def test_children_that_cannot_be_ended(self):
        with Reader(self.agent.port) as calm:
            time.sleep(0.8)
        faults = []
        with Reader(self.agent.port) as reader:
            for i, wanted in ((0, 1), (2, 2), (3, 2)):
                faults.append(self.sim.fault(f"nvmlDeviceGetMemoryInfo gpu={i} block-library"))
                page = self.agent.wait_for(f"GPU {i} hangs", lambda p, i=i, wanted=wanted: state(p, self.uuids[i]) == "hung" and
                                           p.value("gpu_agent_children_abandoned") == wanted, 8)
                self.assertLessEqual(page.value("gpu_agent_children"), 4)
                self.agent.processes()
            for _ in range(10):
                self.assertLessEqual(self.agent.page().value("gpu_agent_children_abandoned"), 2, "a third one waits")
                time.sleep(0.1)
            self.assertEqual(self.agent.get("/healthz").status, 503)
        self.assertLess(reader.p99(), max(5, 2 * calm.p99()))
        for fault in reversed(faults):
            self.sim.tell(f"clear {fault}")
        page = self.agent.wait_for("all are back", lambda p: all(state(p, u) == "ok" for u in self.uuids) and
                                   p.value("gpu_agent_children_abandoned") == 0, 10)
        self.assertEqual(page.value("gpu_agent_child_crashes_total"), 0)

    def test_slow_is_not_hung(self):
        before = self.agent.page()
        self.sim.fault("nvmlDeviceGetUtilizationRates gpu=0 slow 300ms")
        time.sleep(1.5)
        page = self.agent.page()
        self.assertEqual(state(page, self.uuids[0]), "ok")
        self.assertEqual(board(page, "gpu_agent_device_hangs_total", self.uuids[0]),
                         board(before, "gpu_agent_device_hangs_total", self.uuids[0]))
        self.assertGreater(board(page, MISSED, self.uuids[0]), board(before, MISSED, self.uuids[0]), "and said to be late")
        self.others_go_on(0)


class Failures(OneNode):
    # name, number: does a call that answers this say that the value cannot be had, or that it failed?
    UNSUPPORTED = {"NOT_SUPPORTED": 3, "NO_PERMISSION": 4, "FUNCTION_NOT_FOUND": 13, "ARGUMENT_VERSION_MISMATCH": 25,
                   "DEPRECATED": 26}
    ERRORS = {"INVALID_ARGUMENT": 2, "NOT_FOUND": 6, "INSUFFICIENT_SIZE": 7, "TIMEOUT": 10, "IRQ_ISSUE": 11,
              "CORRUPTED_INFOROM": 14, "RESET_REQUIRED": 16, "OPERATING_SYSTEM": 17, "IN_USE": 19, "MEMORY": 20, "NO_DATA": 21,
              "INSUFFICIENT_RESOURCES": 23, "NOT_READY": 27, "INVALID_STATE": 29, "UNKNOWN": 999}

    def one_code(self, uuid, index, number, reason):
        family = "gpu_agent_utilization_ratio"
        self.agent.wait_for("a value", lambda p: p.all(family, uuid=uuid, gi=None), 5)
        fault = self.sim.fault(f"nvmlDeviceGetUtilizationRates gpu={index} error {number}")
        page = self.agent.wait_for(f"code {number}", lambda p: not p.all(family, uuid=uuid, gi=None), 5)
        self.assertEqual(page.value("gpu_agent_unavailable", uuid=uuid, gi=None, field="utilization", reason=reason), 1)
        self.assertEqual(state(page, uuid), "ok", "one value is not the board")
        self.assertTrue(page.all("gpu_agent_temperature_celsius", uuid=uuid))
        self.sim.tell(f"clear {fault}")

    def test_each_code_that_says_failed(self):
        for name, number in self.ERRORS.items():
            with self.subTest(code=name):
                self.one_code(self.uuids[0], 0, number, "error")
        self.agent.wait_for("a value", lambda p: p.all("gpu_agent_utilization_ratio", uuid=self.uuids[0], gi=None), 5)

    def test_each_code_that_says_cannot(self):
        """What cannot be had is asked for again only after a minute, or by a process that is started anew."""
        for name, number in self.UNSUPPORTED.items():
            with self.subTest(code=name):
                self.one_code(self.uuids[0], 0, number, "unsupported")
            self.anew()

    def anew(self):
        self.sim.fault("nvmlDeviceGetMemoryInfo gpu=3 crash times=1")
        crashes = self.agent.page().value("gpu_agent_child_crashes_total")
        self.agent.wait_for("a new process", lambda p: p.value("gpu_agent_child_crashes_total") > crashes and
                            all(state(p, u) == "ok" for u in self.uuids), 10)

    def test_every_call_of_a_board_fails(self):
        for code in (999, 17):
            fault = self.sim.fault(f"nvmlDevice* gpu=0 error {code}")
            page = self.agent.wait_for("failed", lambda p: state(p, self.uuids[0]) in ("failed", "lost"), 5)
            self.assertEqual([state(page, u) for u in self.uuids[1:]], ["ok"] * 3)
            self.assertEqual(self.agent.get("/healthz").status, 503)
            self.sim.tell(f"clear {fault}")
            self.wait_state(0, "ok", 40)

    def test_garbage_never_makes_a_bad_page(self):
        for function in ("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetTemperature*",
                         "nvmlDeviceGetFieldValues", "nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetName",
                         "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetAttributes_v2"):
            with self.subTest(function=function):
                fault = self.sim.fault(f"{function} garbage")
                rounds = self.agent.page().value("gpu_agent_rounds_total")
                page = self.agent.wait_for("rounds", lambda p: p.value("gpu_agent_rounds_total") >= rounds + 4, 15)
                for labels, value in page.all("gpu_agent_utilization_ratio"):
                    self.assertTrue(0 <= value <= 1, (labels, value))
                for labels, value in page.all("gpu_agent_temperature_celsius"):
                    self.assertTrue(-50 <= value <= 200, (labels, value))
                series = [(name, tuple(sorted(labels.items()))) for name, rows in page.series.items() for labels, _ in rows]
                self.assertEqual(len(series), len(set(series)), "no series twice")
                self.sim.tell(f"clear {fault}")
                self.agent.wait_for("as before", lambda p: all(state(p, u) == "ok" for u in self.uuids), 40)

    def test_a_crash_of_the_library(self):
        before = self.agent.page()
        self.sim.fault("nvmlDeviceGetMemoryInfo gpu=3 crash times=1")
        page = self.agent.wait_for("a new process", lambda p: p.value("gpu_agent_child_crashes_total") >
                                   before.value("gpu_agent_child_crashes_total"), 5)
        page = self.agent.wait_for("all are read again", lambda p: all(
            board(p, SAMPLES, u) > board(page, SAMPLES, u) and state(p, u) == "ok" for u in self.uuids), 5)
        self.assertEqual(page.value("gpu_agent_children"), 1)

    def test_the_driver_goes_and_comes(self):
        for away, back in (("unload-driver", "load-driver"), ("mismatch on", "mismatch off")):
            with self.subTest(away):
                self.sim.tell(away)
                page = self.agent.wait_for("no driver", lambda p: p.state("gpu_agent_state") == "no_driver", 8)
                self.assertEqual(page.all("gpu_agent_temperature_celsius"), [], "nothing is shown that nobody measures")
                self.assertEqual(self.agent.get("/healthz").status, 503)
                self.sim.tell(back)
                self.agent.wait_for("working", lambda p: p.state("gpu_agent_state") == "working" and
                                    all(state(p, u) == "ok" for u in self.uuids), 20)

    def test_a_driver_reload(self):
        before = self.agent.page()
        self.sim.tell("reload-driver")
        self.agent.wait_for("further samples", lambda p: p.state("gpu_agent_state") == "working" and all(
            state(p, u) == "ok" and board(p, SAMPLES, u) > board(before, SAMPLES, u) + 3 for u in self.uuids), 20)


class StepsAside(OneNode):
    def paused(self, page):
        return page.state("gpu_agent_state") == "paused"

    def test_by_request(self):
        children = set(self.agent.processes())
        answer = self.agent.by_socket("POST", "/v1/pause", {"duration": "10m", "reason": "driver upgrade"})
        self.assertEqual(answer.status, 200, answer.body)
        page = self.agent.wait_for("paused", self.paused, 5)
        wait_for("no process has the driver open", lambda: "client " not in self.sim.tell("show"), 5)
        self.assertEqual(page.all("gpu_agent_temperature_celsius"), [])
        self.assertGreater(page.value("gpu_agent_paused_until_timestamp_seconds"), time.time() + 500)
        self.assertLess(len(self.agent.processes()), len(children))
        answer = self.agent.by_socket("POST", "/v1/resume")
        self.assertEqual(answer.status, 200, answer.body)
        self.agent.wait_for("working", lambda p: p.state("gpu_agent_state") == "working" and p.all("gpu_agent_temperature_celsius"), 5)

    def test_back_by_itself(self):
        self.agent.by_socket("POST", "/v1/pause", {"duration": "2s"})
        began = time.monotonic()
        self.agent.wait_for("paused", self.paused, 5)
        self.agent.wait_for("working", lambda p: p.state("gpu_agent_state") == "working", 8)
        self.assertGreater(time.monotonic() - began, 1)

    def test_by_a_marker_file(self):
        marker = self.agent.folder / "pause"
        marker.touch()
        self.agent.wait_for("paused", self.paused, 5)
        self.assertEqual(self.agent.by_socket("POST", "/v1/resume").status, 409, "the file is still there")
        marker.unlink()
        self.agent.wait_for("working", lambda p: p.state("gpu_agent_state") == "working" and p.all("gpu_agent_temperature_celsius"), 5)


class Mig(OneNode):
    """Layouts changed over the socket, on a node where GPU 1 is cut and in use."""
    settings = ()

    def device(self, index):
        return next(d for d in self.agent.get("/v1/mig").json["devices"] if d["uuid"] == self.uuids[index])

    def ask(self, index, layout, **more):
        """POST /v1/mig/apply for one board as it is now."""
        d = self.device(index)
        body = {"devices": [{"uuid": d["uuid"], "stateHash": d["stateHash"], "mode": "on", "layout": layout}], **more}
        return self.agent.by_socket("POST", "/v1/mig/apply", body)

    def carried_out(self, answer):
        self.assertIn(answer.status, (200, 202), answer.body)
        path = f"/v1/mig/operations/{answer.json['id']}"
        operation = wait_for("the operation", lambda: (o := self.agent.by_socket("GET", path).json)["done"] and o, 15)
        self.assertEqual(operation["state"], "succeeded", operation)

    def there(self, index):
        return sorted((g["profile"], g["start"]) for g in self.sim.show()["gpus"][index]["instances"])

    def test_a_layout_is_made_kept_and_taken_away(self):
        wanted = [("1g.10gb", 0), ("3g.40gb", 4)]
        layout = [{"profile": p, "placement": s} for p, s in wanted]
        dry = self.ask(2, layout, dryRun=True)
        self.assertEqual(dry.status, 200, dry.body)
        self.assertEqual(self.there(2), [])
        self.carried_out(self.ask(2, layout))
        self.assertEqual(self.there(2), wanted)
        self.agent.wait_for("it is shown", lambda p: len(p.all("gpu_agent_instance_info", uuid=self.uuids[2])) == 2, 5)
        # A reset wants everybody to step aside, and instances do not survive it.
        self.assertEqual(self.agent.by_socket("POST", "/v1/pause", {"duration": "1m"}).status, 200)
        wait_for("nobody has the driver open", lambda: "client " not in self.sim.tell("show"), 5)
        self.sim.tell("reset-gpu 2")
        self.assertEqual(self.there(2), [])
        self.assertEqual(self.agent.by_socket("POST", "/v1/resume").status, 200)
        wait_for("it is made again", lambda: self.there(2) == wanted, 15)
        self.agent.wait_for("ready", lambda p: p.value("gpu_agent_mig_ready") == 1, 15)
        self.assertEqual(self.ask(2, [], mode="off").status, 400, "no such field")
        refused = self.ask(2, [])
        self.assertEqual(refused.status, 409, "unused slices go only when that is said")
        self.carried_out(wait_for("the last change was read", lambda: (a := self.ask(2, [], removeUnused=True)).status < 300 and a))
        self.assertEqual(self.there(2), [])

    def test_what_is_refused(self):
        before = self.there(1)
        busy = self.ask(1, [{"profile": "7g.80gb", "placement": 0}], removeUnused=True)
        self.assertEqual(busy.status, 409, busy.body)
        self.assertRegex(busy.body.decode(), r"in use|pid|process")
        d = self.device(2)
        stale = {"devices": [{"uuid": d["uuid"], "stateHash": "0" * len(d["stateHash"]), "layout": []}]}
        self.assertEqual(self.agent.by_socket("POST", "/v1/mig/apply", stale).status, 409)
        unknown = self.ask(2, [{"profile": "5g.50gb", "placement": 0}])
        self.assertEqual(unknown.status, 404)
        self.assertIn("5g.50gb", unknown.body.decode())
        self.assertEqual(self.agent.request("POST", "/v1/mig/apply", stale).status, 403, "not over TCP without a certificate")
        self.assertEqual(self.there(1), before)


class Ends(unittest.TestCase):
    def test_at_once_with_nothing_left(self):
        with Sim() as sim, Agent(sim) as agent:
            agent.processes()
            began = time.monotonic()
            self.assertEqual(agent.stop(), 0)
            within(3, began)
            self.assertEqual(agent.left(), [])
            self.assertNotIn("client ", sim.tell("show"))
            self.assertFalse(agent.socket_path.exists())

    def test_with_calls_that_do_not_return(self):
        with Sim() as sim, Agent(sim, "--set", "hung-after=1s") as agent:
            fault = sim.fault("nvmlDeviceGetMemoryInfo gpu=1 block")
            agent.wait_for("hung", lambda p: state(p, uuids(p)[1]) == "hung", 5)
            agent.processes()
            began = time.monotonic()
            self.assertEqual(agent.stop(deadline_s=20), 0)
            within(15, began)
            self.assertEqual(sim.blocked(fault), 1, "nobody was killed in the middle of a call")
            sim.tell(f"clear {fault}")
            wait_for("the rest ends when its call returns", lambda: not agent.left(), 5)

    def test_children_outlive_nobody(self):
        with Sim() as sim, Agent(sim, "--set", "hung-after=1s") as agent:
            fault = sim.fault("nvmlDeviceGetMemoryInfo gpu=1 block")
            agent.wait_for("hung", lambda p: state(p, uuids(p)[1]) == "hung", 5)
            agent.processes()
            agent.process.kill()
            agent.process.wait()
            self.assertEqual(sim.blocked(fault), 1)
            sim.tell(f"clear {fault}")
            wait_for("all end", lambda: not agent.left(), 5)

    def test_killed_and_started_again(self):
        with Sim() as sim, tempfile.TemporaryDirectory(prefix="gm-agent-") as folder:
            for _ in range(3):
                agent = Agent(sim, folder=folder)
                agent.processes()
                agent.process.kill()
                agent.process.wait()
                wait_for("all end", lambda agent=agent: not agent.left(), 5)
            with Agent(sim, folder=folder) as agent:
                self.assertEqual(agent.by_socket("GET", "/healthz").status, 200, "a socket that was left behind is replaced")
                self.assertEqual(agent.stop(), 0)


class Starts(unittest.TestCase):
    def test_the_library_comes_later(self):
        with Sim() as sim, tempfile.TemporaryDirectory(prefix="gm-agent-") as folder:
            library = os.path.join(folder, "libnvidia-ml.so.1")
            with Agent(sim, library=library, ready=False) as agent:
                page = agent.wait_for("no library", lambda p: p.state("gpu_agent_state") == "no_library", 10)
                self.assertEqual(page.all("gpu_agent_device_info"), [])
                self.assertEqual(page.value("gpu_agent_up"), 0)
                os.symlink(Sim.library, library)
                agent.wait_for("working", lambda p: p.state("gpu_agent_state") == "working" and
                               len(p.all("gpu_agent_temperature_celsius")) == 4, 40)
                self.assertEqual(agent.stop(), 0)

    def test_the_supervisor_hears_of_it(self):
        with Sim() as sim, tempfile.TemporaryDirectory(prefix="gm-agent-") as folder, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = os.path.join(folder, "notify")
            notify.bind(path)
            notify.settimeout(10)
            with Agent(sim, ready=False, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}) as agent:
                said, end = [], time.monotonic() + 10
                while time.monotonic() < end and not {"READY=1", "WATCHDOG=1"} <= set(said):
                    said.append(notify.recv(4096).decode())
                self.assertIn("READY=1", said)
                self.assertEqual(agent.page().state("gpu_agent_state"), "working", "ready means read")
                # The watchdog is fed while a call hangs, too: it is our loop that it watches, not the driver.
                sim.fault("nvmlDeviceGetMemoryInfo block-driver 3s times=1")
                fed = [time.monotonic()]
                while fed[-1] < fed[0] + 3:
                    if notify.recv(4096) == b"WATCHDOG=1":
                        fed.append(time.monotonic())
                self.assertLess(max(b - a for a, b in zip(fed, fed[1:])), 1)
                agent.stop()
                notify.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    while True:
                        said.append(notify.recv(4096).decode())
                self.assertIn("STOPPING=1", said)

    def test_wrong_settings(self):
        for argument, words in ((("--set", "hung-after=never"), "hung-after"), (("--set", "no.such=1"), "no.such"),
                                (("--interval", "1ms"), "interval"), (("--nothing",), "nothing")):
            agent = Agent(None, *argument, ready=False)
            self.assertEqual(agent.process.wait(10), 2)
            self.assertIn(words, agent.log())
            agent.__exit__()

    def test_a_taken_port(self):
        with socket.socket() as s, Sim() as sim:
            s.bind(("127.0.0.1", 0))
            s.listen()
            agent = Agent(sim, port=s.getsockname()[1], ready=False)
            self.assertEqual(agent.process.wait(10), 1)
            self.assertIn(str(s.getsockname()[1]), agent.log())
            agent.__exit__()


class EndToEnd(unittest.TestCase):
    def test_the_server_shows_what_the_agent_says(self):
        with Sim(NODE) as sim, Agent(sim, "--interval", "1s") as agent, \
                Server("--set", f"scrape.targets=http://127.0.0.1:{agent.port}/metrics", "--set",
                       "gpu.management.metrics.collection-interval=1s") as server:
            wait_for("four boards", lambda: len(server.api("/gpu/devices")["items"]) == 4)
            wait_for("five slices", lambda: len(server.api("/gpu/mig-instances")["items"]) == 5)
            sim.tell("load 0 81")
            world = {b["uuid"]: b for b in sim.show()["gpus"]}
            self.assertEqual(server.api("/gpu/nodes")["items"][0]["name"], "node-1")
            devices = {d["uuid"]: d for d in server.api("/gpu/devices")["items"]}
            self.assertEqual(set(devices), set(world))
            for uuid, d in devices.items():
                self.assertEqual((d["gpuIndex"], d["productName"], d["migEnabled"], d["memoryTotalMiB"]),
                                 (world[uuid]["index"], world[uuid]["name"], world[uuid]["migMode"], 81559))
                self.assertEqual(d["healthReasons"], [])
            have = {(i["uuid"], i["giId"], i["ciId"], i["profile"], i["placementStart"])
                    for i in server.api("/gpu/mig-instances")["items"]}
            want = {(ci["uuid"], gi["id"], ci["id"], gi["profile"], gi["start"]) for b in world.values()
                    for gi in b["instances"] for ci in gi["computeInstances"]}
            self.assertEqual(have, want)
            busy = agent.page().all("gpu_agent_device_info", index="0")[0][0]["uuid"]

            def agree():
                page = agent.page()
                shown = next(d for d in server.api("/gpu/devices")["items"] if d["uuid"] == busy)
                self.assertAlmostEqual(shown["utilization"], 81, delta=6)
                self.assertAlmostEqual(shown["temperature"], board(page, "gpu_agent_temperature_celsius", busy), delta=2)
                self.assertAlmostEqual(shown["memoryUsedMiB"], board(page, "gpu_agent_memory_used_bytes", busy) / 2**20, delta=1)
                self.assertAlmostEqual(shown["powerWatts"], board(page, "gpu_agent_power_watts", busy), delta=60)
                return True
            wait_for("values agree", agree)
            sim.fault("nvmlDeviceGetMemoryInfo gpu=0 block")
            wait_for("the hang is said", lambda: any("hung" in reason for reason in next(
                d for d in server.api("/gpu/devices")["items"] if d["uuid"] == busy)["healthReasons"]), 15)
            sim.tell("clear all")
            wait_for("and its end", lambda: next(
                d for d in server.api("/gpu/devices")["items"] if d["uuid"] == busy)["healthReasons"] == [], 15)
            self.assertEqual(agent.stop(), 0)


class WasLost(unittest.TestCase):
    """A board comes back under handles of a later nvmlInit only, which is tried every so often: begun before the other tests,
    looked at after them."""

    def test_a_board_fell_off_and_is_back(self):
        agent, names, before = LOST["agent"], LOST["names"], LOST["page"]
        page = agent.wait_for("back", lambda p: state(p, names[3]) == "ok", 45)
        for u in names[:3]:
            self.assertLessEqual(board(page, MISSED, u) - board(before, MISSED, u), 3, "others lose nothing by it")
        self.assertEqual(agent.get("/healthz").status, 200)
        self.assertEqual(agent.stop(), 0)


@unittest.skipUnless(LONG, "GM_LONG=1 runs it")
class Long(unittest.TestCase):
    def test_hang_and_return_again_and_again(self):
        with Sim(NODE) as sim, Agent(sim, "--set", "hung-after=200ms") as agent:
            names, processes = uuids(agent.page()), len(agent.processes())
            for i in range(300):
                n = (0, 2, 3)[i % 3]
                fault = sim.fault(f"nvmlDeviceGetMemoryInfo gpu={n} block{'-library' if i % 5 == 0 else ''}")
                agent.wait_for("hung", lambda p, n=n: state(p, names[n]) == "hung", 5)
                sim.tell(f"clear {fault}")
                agent.wait_for("back", lambda p: all(state(p, u) == "ok" for u in names) and
                               p.value("gpu_agent_children_abandoned") == 0, 10)
            wait_for("as many processes as before", lambda: len(agent.processes()) == processes, 10)
            self.assertEqual(agent.stop(), 0)
            self.assertEqual(agent.left(), [])


if __name__ == "__main__":
    unittest.main()
