# SPDX-License-Identifier: MIT
"""Programs of others on the simulated NVML, unmodified: NVIDIA's Python binding and nvitop show what the scenario says."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from harness import DEADLINE_S, NVML_SIM, Sim

PACKAGES = ("nvidia-ml-py==13.615.71", "nvitop==1.7.2")
OFFLINE = re.compile(r"NewConnectionError|Temporary failure in name resolution|Network is unreachable|Connection refused|"
                     r"Max retries exceeded|ProxyError|ReadTimeout|timed out")

SCENARIO = """
gpus: 4
models: "H100_SXM5_80GB=2,A100_SXM4_80GB=1,RTX4090=1"
mig:
  - {gpu: 1, layout: "3g.40gb@4, 2g.20gb@0, 1g.10gb@2"}
"""


def install():
    """The programs in a virtual environment beside the simulator, made once."""
    folder = NVML_SIM.parent / "third-party"
    mark, wanted = folder / "installed", "\n".join(PACKAGES)
    if mark.exists() and mark.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    done = subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0 and OFFLINE.search(done.stderr):
        return None
    assert done.returncode == 0, done.stderr
    mark.write_text(wanted)
    return folder


class ThirdParty(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = install()
        if not cls.programs:
            raise unittest.SkipTest("no network to fetch nvidia-ml-py and nvitop")

    def setUp(self):
        self.sim = Sim(SCENARIO)
        self.addCleanup(self.sim.close)
        self.holder = subprocess.Popen(["sleep", "600"])  # a process that is really there: nvitop looks at it
        self.addCleanup(self.end_holder)

    def end_holder(self):
        self.holder.terminate()
        self.holder.wait()

    @property
    def environment(self):
        return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(NVML_SIM), "LANG": "C.UTF-8", "TERM": "xterm",
                "COLUMNS": "120", **self.sim.environment}

    def python(self, code):
        """What the lines print as JSON: `from pynvml import *` has been done, `show` prints."""
        head = "import json\nfrom pynvml import *\nshow = lambda value: print(json.dumps(value), flush=True)\n"
        done = subprocess.run([self.programs / "bin" / "python", "-c", head + code], env=self.environment, text=True,
                              capture_output=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def nvitop(self, *args):
        done = subprocess.run([self.programs / "bin" / "python", "-m", "nvitop", "--once", "--ascii", *args], text=True,
                              env=self.environment, capture_output=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertNotIn("FunctionNotFound", done.stderr)
        return done.stdout

    def test_the_binding_tells_what_the_world_says(self):
        self.sim.tell("load 0 60")
        self.sim.tell(f"process add pid={self.holder.pid} gpu=0 memory=30GiB name=trainer load=60")
        boards = self.python("""
nvmlInit()
rows = []
for i in range(nvmlDeviceGetCount()):
    d = nvmlDeviceGetHandleByIndex(i)
    m = nvmlDeviceGetMemoryInfo(d, nvmlMemory_v2)
    try:
        busy = nvmlDeviceGetUtilizationRates(d).gpu
    except NVMLError_NotSupported:
        busy = None
    rows.append({'name': nvmlDeviceGetName(d), 'uuid': nvmlDeviceGetUUID(d), 'bus': nvmlDeviceGetPciInfo(d).busId,
                 'used': m.used, 'sum': m.used + m.free + m.reserved, 'total': m.total, 'busy': busy,
                 'celsius': nvmlDeviceGetTemperature(d, NVML_TEMPERATURE_GPU),
                 'watts': nvmlDeviceGetPowerUsage(d) // 1000,
                 'pids': [(p.pid, p.usedGpuMemory, p.gpuInstanceId) for p in nvmlDeviceGetComputeRunningProcesses(d)]})
show({'driver': nvmlSystemGetDriverVersion(), 'rows': rows})
""")
        world = self.sim.show()
        self.assertEqual(boards["driver"], world["driverVersion"])
        self.assertEqual(len(boards["rows"]), 4)
        for told, said in zip(boards["rows"], world["gpus"]):
            self.assertEqual([told[k] for k in ("name", "uuid", "bus", "used", "celsius")],
                             [said[k] for k in ("name", "uuid", "pciBusId", "memoryUsedBytes", "temperatureCelsius")])
            self.assertEqual(told["sum"], told["total"])
            self.assertAlmostEqual(told["watts"], said["powerMilliwatts"] / 1000, delta=40)
        first, second = boards["rows"][:2]
        self.assertEqual((first["busy"], second["busy"]), (60, None))
        self.assertEqual(first["pids"], [[self.holder.pid, 30 << 30, 0xffffffff]])
        self.assertEqual(first["name"], "NVIDIA H100 80GB HBM3")

    def test_the_binding_walks_instances_and_changes_them(self):
        walked = self.python("""
nvmlInit()
d = nvmlDeviceGetHandleByIndex(1)
slices = []
for i in range(nvmlDeviceGetMaxMigDeviceCount(d)):
    try:
        m = nvmlDeviceGetMigDeviceHandleByIndex(d, i)
    except NVMLError_NotFound:
        continue
    a = nvmlDeviceGetAttributes(m)
    slices.append([nvmlDeviceGetUUID(m), nvmlDeviceGetName(m).split(' MIG ')[1], nvmlDeviceGetGpuInstanceId(m),
                   a.multiprocessorCount, a.memorySizeMB, nvmlDeviceGetMemoryInfo(m).total >> 20])
gi = nvmlDeviceCreateGpuInstance(d, 19)
ci = nvmlGpuInstanceCreateComputeInstance(gi, 0)
where = nvmlGpuInstanceGetInfo(gi).placement.start
full = False
try:
    nvmlDeviceCreateGpuInstance(d, 9)
except NVMLError_InsufficientResources:
    full = True
show({'slices': slices, 'start': where, 'full': full, 'on': nvmlDeviceSetMigMode(nvmlDeviceGetHandleByIndex(0), 1)})
""")
        world = self.sim.show()["gpus"]
        made = {c["uuid"]: (i["profile"], i["id"]) for i in world[1]["instances"] for c in i["computeInstances"]}
        self.assertEqual([s[1] for s in walked["slices"]], ["2g.20gb", "1g.10gb", "3g.40gb"])
        for uuid, profile, gi, sms, mib, total in walked["slices"]:
            self.assertEqual(made.pop(uuid), (profile, gi))
            self.assertEqual((sms, mib), {"1g.10gb": (16, 9984), "2g.20gb": (32, 20096), "3g.40gb": (60, 40448)}[profile])
            self.assertEqual(total, mib)
        self.assertEqual([p for p, _ in made.values()], ["1g.10gb"])  # another process sees what this one made
        self.assertEqual((walked["start"], walked["full"], walked["on"]), (3, True, 0))
        self.assertTrue(world[0]["migMode"])

    def test_the_binding_profiles_an_instance(self):
        gi = next(i["id"] for i in self.sim.show()["gpus"][1]["instances"] if i["profile"] == "3g.40gb")
        self.sim.tell(f"load 1/{gi} 45")
        share = self.python(f"""
import time
nvmlInit()
d = nvmlDeviceGetHandleByIndex(1)
get = c_nvmlGpmMetricsGet_t(version=NVML_GPM_METRICS_GET_VERSION, numMetrics=1)
get.sample1, get.sample2 = nvmlGpmSampleAlloc(), nvmlGpmSampleAlloc()
get.metrics[0].metricId = NVML_GPM_METRIC_GRAPHICS_UTIL
nvmlGpmMigSampleGet(d, {gi}, get.sample1)
time.sleep(0.15)  # samples that are closer tell nothing
nvmlGpmMigSampleGet(d, {gi}, get.sample2)
nvmlGpmMetricsGet(get)
show([get.metrics[0].nvmlReturn, get.metrics[0].value])
""")
        self.assertEqual(share[0], 0)
        self.assertAlmostEqual(share[1], 45, delta=1)

    def test_the_binding_is_woken_by_an_xid(self):
        code = """
from pynvml import *
nvmlInit()
events = nvmlEventSetCreate()
nvmlDeviceRegisterEvents(nvmlDeviceGetHandleByIndex(2), nvmlEventTypeXidCriticalError, events)
print('ready', flush=True)
e = nvmlEventSetWait_v2(events, 20000)
print(nvmlDeviceGetIndex(e.device), e.eventType, e.eventData, flush=True)
"""
        with subprocess.Popen([self.programs / "bin" / "python", "-c", code], env=self.environment, text=True,
                              stdout=subprocess.PIPE) as waiter:
            self.assertEqual(waiter.stdout.readline(), "ready\n")
            self.sim.tell("xid 2 94")
            self.assertEqual(waiter.stdout.readline(), "2 8 94\n")
            self.assertEqual(waiter.wait(DEADLINE_S), 0)

    def test_the_binding_raises_the_commanded_error(self):
        self.sim.tell("lost 2")
        self.sim.tell("fault nvmlDeviceGetPowerUsage gpu=0 error 999")
        self.assertEqual(self.python("""
nvmlInit()
said = []
for call in (lambda: nvmlDeviceGetHandleByIndex(2), lambda: nvmlDeviceGetPowerUsage(nvmlDeviceGetHandleByIndex(0)),
             lambda: nvmlDeviceGetSerial(nvmlDeviceGetHandleByIndex(3))):
    try:
        call()
    except NVMLError as e:
        said.append(str(e))
show(said)
"""), ["GPU is lost", "Unknown Error", "Not Supported"])

    def test_nvitop_shows_boards_instances_and_processes(self):
        gi = next(i["id"] for i in self.sim.show()["gpus"][1]["instances"] if i["profile"] == "3g.40gb")
        self.sim.tell("load 0 60")
        self.sim.tell(f"process add pid={self.holder.pid} gpu=0 memory=30GiB name=trainer load=60")
        self.sim.tell(f"process add pid={os.getpid()} gpu=1 instance={gi}.0 memory=5GiB name=model")
        shown = self.nvitop()
        for text in ("Driver Version: 570.133.20", "CUDA Driver Version: 12.8", "H100 80GB HBM3", "A100-SXM4-80GB",
                     "GeForce RTX 4090", "30.00GiB / 79.65GiB", "60%"):
            self.assertIn(text, shown)
        for gpu, (name, ids) in enumerate((("2g.20gb", None), ("1g.10gb", None), ("3g.40gb", f"{gi}/0"))):
            row = re.search(rf"1:{gpu} +{re.escape(name)} @ GI/CI: *(\d+/\d+)", shown)
            self.assertTrue(row, shown)
            self.assertIn(ids, (None, row[1]))
        self.assertRegex(shown, rf"(?m)^\W*0 +{self.holder.pid} C .*30\.00GiB .*sleep")
        self.assertRegex(shown, rf"(?m)^\W*1:2 +{os.getpid()} C .*(5120MiB|5\.00GiB)")

    def test_nvitop_reads_every_value_of_a_busy_board(self):
        self.sim.tell("load 0 75")
        snapshot = self.python("""
from nvitop import Device
show({k: str(v) for k, v in Device(0).as_snapshot().__dict__.items() if k != 'real'})
""")
        missing = sorted(k for k, v in snapshot.items() if v == "N/A")
        self.assertEqual(missing, ["current_driver_model", "fan_speed"])  # Windows has the one, air-cooled boards the other
        self.assertEqual((snapshot["gpu_utilization"], snapshot["performance_state"]), ("75", "P0"))
        self.assertEqual(snapshot["power_limit"], "700000")


if __name__ == "__main__":
    assert (pathlib.Path(NVML_SIM) / "libnvidia-ml.so.1").exists(), f"{NVML_SIM}: the simulator is not built"
    unittest.main(verbosity=2)
