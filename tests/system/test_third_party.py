# SPDX-License-Identifier: MIT
"""Programs that were written for NVIDIA's driver run unmodified on the simulated one and show what its world says.

nvidia-ml-py (NVIDIA's own bindings) and nvitop come from the Python index into a folder of their own, build/third-party;
where they cannot be had these tests are skipped, and say so.
"""
import json
import os
import subprocess
import sys
import unittest

from harness import NVML_SIM, ROOT, Sim, wait_for

HOME = ROOT / "build" / "third-party"
PYTHON = HOME / "bin" / "python3"
PACKAGES = ["nvidia-ml-py", "nvitop"]
NODE = """
gpus: 3
models: H100_SXM5_80GB
seed: 21
mig:
  - {gpu: 1, layout: "3g.40gb@4, 2g.20gb@0, 1g.10gb@2, 1g.10gb+me@3"}
processes:
  - {pid: 1, gpu: 0, memory: 20GiB, load: 60, name: trainer}
  - {pid: 1, gpu: 1, instance: 1, memory: 3GiB, load: 40, name: server}
"""
# What NVIDIA's bindings say, as JSON; runs in the folder's Python.
BINDINGS = r"""
import json, pynvml as n
n.nvmlInit()
out = {"driver": n.nvmlSystemGetDriverVersion(), "boards": []}
for i in range(n.nvmlDeviceGetCount()):
    h = n.nvmlDeviceGetHandleByIndex(i)
    m = n.nvmlDeviceGetMemoryInfo(h, version=n.nvmlMemory_v2)
    b = {"uuid": n.nvmlDeviceGetUUID(h), "name": n.nvmlDeviceGetName(h), "bus": n.nvmlDeviceGetPciInfo(h).busId,
         "memory": [m.total, m.used, m.free, m.reserved], "power": n.nvmlDeviceGetPowerUsage(h),
         "temperature": n.nvmlDeviceGetTemperature(h, n.NVML_TEMPERATURE_GPU), "mig": n.nvmlDeviceGetMigMode(h)[0],
         "processes": [[p.pid, p.usedGpuMemory, p.gpuInstanceId] for p in n.nvmlDeviceGetComputeRunningProcesses(h)],
         "energy": n.nvmlDeviceGetTotalEnergyConsumption(h), "instances": []}
    try:
        b["utilization"] = n.nvmlDeviceGetUtilizationRates(h).gpu
    except n.NVMLError_NotSupported:
        b["utilization"] = None
    for k in range(n.nvmlDeviceGetMaxMigDeviceCount(h)):
        try:
            d = n.nvmlDeviceGetMigDeviceHandleByIndex(h, k)
        except n.NVMLError_NotFound:
            continue
        a = n.nvmlDeviceGetAttributes(d)
        b["instances"].append({"uuid": n.nvmlDeviceGetUUID(d), "gi": n.nvmlDeviceGetGpuInstanceId(d),
            "ci": n.nvmlDeviceGetComputeInstanceId(d), "memory": a.memorySizeMB, "sm": a.multiprocessorCount,
            "name": n.nvmlDeviceGetName(d), "used": n.nvmlDeviceGetMemoryInfo(d).used,
            "parent": n.nvmlDeviceGetUUID(n.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(d))})
    out["boards"].append(b)
try:
    n.nvmlDeviceGetHandleByIndex(99)
    out["index 99"] = "a handle"
except n.NVMLError as e:
    out["index 99"] = str(e)
n.nvmlShutdown()
print(json.dumps(out))
"""
NVITOP = r"""
import json
from nvitop import Device
print(json.dumps([{"uuid": d.uuid(), "name": d.name(), "used": d.memory_used(), "total": d.memory_total(),
    "utilization": d.gpu_utilization() if not d.is_mig_mode_enabled() else None, "temperature": d.temperature(),
    "mig": [[m.uuid(), m.gpu_instance_id(), m.compute_instance_id(), m.memory_total()] for m in d.mig_devices()]}
    for d in Device.all()]))
"""
# A layout made with NVIDIA's bindings, as its tools make it.
CHANGE = r"""
import json, pynvml as n
n.nvmlInit()
h = n.nvmlDeviceGetHandleByIndex(2)
n.nvmlDeviceSetMigMode(h, 1)
h = n.nvmlDeviceGetHandleByIndex(2) # a switch of the mode ends handles
made = []
p = n.nvmlDeviceGetGpuInstanceProfileInfo(h, n.NVML_GPU_INSTANCE_PROFILE_3_SLICE)
for _ in range(p.instanceCount):
    gi = n.nvmlDeviceCreateGpuInstance(h, p.id)
    c = n.nvmlGpuInstanceGetComputeInstanceProfileInfo(gi, n.NVML_COMPUTE_INSTANCE_PROFILE_3_SLICE, 0)
    n.nvmlGpuInstanceCreateComputeInstance(gi, c.id)
    made.append(n.nvmlGpuInstanceGetInfo(gi).id)
try:
    n.nvmlDeviceCreateGpuInstance(h, p.id)
except n.NVMLError_InsufficientResources:
    made.append("full")
n.nvmlShutdown()
print(json.dumps(made))
"""


def installed():
    mark = HOME / ".installed"
    if mark.exists():
        return True
    made = subprocess.run([sys.executable, "-m", "venv", HOME], capture_output=True, check=False).returncode == 0
    if not made or subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES],
                                  capture_output=True, timeout=300, check=False).returncode:
        return False
    mark.touch()
    return True


@unittest.skipUnless(installed(), "nvidia-ml-py and nvitop cannot be installed here")
class ThirdParty(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = Sim(NODE)

    @classmethod
    def tearDownClass(cls):
        cls.sim.close()

    def run_on_it(self, *command):
        environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(NVML_SIM), "TERM": "xterm", "COLUMNS": "120",
                       "LINES": "60", "PYTHONIOENCODING": "utf-8", **self.sim.environment}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 0, run.stdout[-2000:] + run.stderr[-2000:])
        return run.stdout

    def python(self, text):
        return json.loads(self.run_on_it(PYTHON, "-c", text))

    def test_nvidias_bindings_show_the_world(self):
        self.sim.tell("load 0 64")
        said, world = self.python(BINDINGS), self.sim.show()["gpus"]
        self.assertEqual(said["driver"], "570.133.20")
        self.assertEqual(said["index 99"], "Invalid Argument")
        for have, want in zip(said["boards"], world, strict=True):
            self.assertEqual((have["uuid"], have["name"], have["bus"], have["mig"]),
                             (want["uuid"], want["name"], want["pciBusId"], int(want["migMode"])))
            self.assertAlmostEqual(have["power"], want["powerMilliwatts"], delta=30000)
            self.assertAlmostEqual(have["temperature"], want["temperatureCelsius"], delta=2)
            total, used, free, reserved = have["memory"]
            self.assertEqual(total, used + free + reserved)
            self.assertAlmostEqual(used, want["memoryUsedBytes"], delta=600 << 20)
            self.assertEqual([(i["uuid"], i["gi"], i["ci"], i["parent"]) for i in sorted(have["instances"], key=lambda i: i["gi"])],
                             [(ci["uuid"], gi["id"], ci["id"], want["uuid"]) for gi in sorted(want["instances"], key=lambda g: g["id"])
                              for ci in gi["computeInstances"]])
        self.assertAlmostEqual(said["boards"][0]["utilization"], 64, delta=6)
        self.assertIsNone(said["boards"][1]["utilization"], "NVML has none in MIG mode")
        self.assertIn([1, 20 << 30, 0xffffffff], said["boards"][0]["processes"])
        self.assertIn([1, 3 << 30, 1], said["boards"][1]["processes"])
        slices = {i["gi"]: i for i in said["boards"][1]["instances"]}
        self.assertEqual(len(slices), 4)
        names = {i["name"].rsplit(" ", 1)[1] for i in slices.values()}
        self.assertEqual(names, {"3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb+me"})
        self.assertGreaterEqual(slices[1]["used"], 3 << 30)

    def test_energy_counts_what_power_says(self):
        # The world's own clock: both ends carry the time between them only roughly, so the bounds are wide.
        import time # pylint: disable=import-outside-toplevel
        first, begin = self.python(BINDINGS)["boards"][0], time.monotonic()
        wait_for("two seconds", lambda: time.monotonic() > begin + 2)
        second, seconds = self.python(BINDINGS)["boards"][0], time.monotonic() - begin
        joules = (second["energy"] - first["energy"]) / 1000
        watts = (first["power"] + second["power"]) / 2000
        self.assertTrue(0.3 * watts * seconds < joules < 2 * watts * seconds, (joules, watts, seconds))

    def test_nvitop_shows_the_world(self):
        said, world = self.python(NVITOP), self.sim.show()["gpus"]
        for have, want in zip(said, world, strict=True):
            self.assertEqual((have["uuid"], have["total"]), (want["uuid"], 81559 << 20))
            self.assertIn(have["name"], want["name"])
            self.assertAlmostEqual(have["temperature"], want["temperatureCelsius"], delta=2)
            self.assertEqual(sorted(m[:3] for m in have["mig"]),
                             sorted([ci["uuid"], gi["id"], ci["id"]] for gi in want["instances"] for ci in gi["computeInstances"]))
        screen = self.run_on_it(HOME / "bin" / "nvitop", "-1", "--ascii")
        self.assertIn("570.133.20", screen)
        for words in ("H100 80GB HBM3", "3g.40gb @ GI/CI", "2g.20gb @ GI/CI", "1g.10gb+me @ GI/CI"):
            self.assertIn(words, screen)

    def test_nvidias_bindings_make_a_layout(self):
        made = self.python(CHANGE)
        self.assertEqual(made[-1], "full")
        instances = self.sim.show()["gpus"][2]["instances"]
        self.assertEqual([(g["id"], g["profile"]) for g in instances], [(i, "3g.40gb") for i in made[:-1]])
        self.sim.tell('layout 2 ""')
        self.sim.tell("mig 2 off")


if __name__ == "__main__":
    unittest.main()
