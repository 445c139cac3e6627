# SPDX-License-Identifier: MIT
"""The bundle: made, whole, the same twice, and running where there is nothing else - no shell, no C library, no environment."""
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import unittest

from harness import AGENT, DEADLINE_S, LONG, NVML_SIM, ROOT, Agent, Sim, free_port, wait_for

NODE = 'gpus: 2\nseed: 5\nworkloads: true\nmig:\n  - {gpu: 1, layout: "3g.40gb@4, 1g.10gb*4"}\n'
STAND_IN = ROOT / "tests" / "fakes" / "nvidia_smi.py"


def make(folder):
    run = subprocess.run([ROOT / "scripts" / "bundle", "agent", "--with-suite", "--out", folder], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    tree, = (p for p in pathlib.Path(folder).iterdir() if p.is_dir())
    return tree, run.stdout


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="gm-bundle-")
        cls.tree, cls.said = make(cls.tmp.name)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def test_whole_and_named(self):
        self.assertRegex(self.tree.name, r"^gpu-agent-\d+\.\d+\.\d+-linux-x86_64$")
        self.assertRegex(self.said, r"\d+ KiB +\S*gpu-agent-\S+\.tar\.gz")
        for name in ("gpu-agent", "gpu-suite", "bin/gpu-agent", "bin/gpu-suite", "lib/ld-linux-x86-64.so.2", "lib/libc.so.6",
                     "lib/libpthread.so.0", "lib/libdl.so.2", "lib/librt.so.1", "lib/libm.so.6", "gpu-agent.yml",
                     "gpu-agent.service", "licenses/gpu-agent.txt", "licenses/libraries.txt"):
            self.assertTrue((self.tree / name).is_file(), name)
        listed = (self.tree / "licenses" / "libraries.txt").read_text()
        for library in (self.tree / "lib").iterdir():
            self.assertIn(library.name.split(".so")[0], listed, "whose work it is")
        size = sum(f.stat().st_size for f in self.tree.rglob("*") if f.is_file())
        self.assertLess(size, 24 << 20)

    def test_the_starter_needs_nothing(self):
        said = subprocess.run(["ldd", self.tree / "gpu-agent"], capture_output=True, text=True, check=False)
        self.assertIn("not a dynamic executable", said.stdout + said.stderr)
        self.assertLess((self.tree / "gpu-agent").stat().st_size, 32768)

    def test_nothing_is_loaded_from_elsewhere(self):
        for program in ("gpu-agent", "gpu-suite"):
            said = subprocess.run([self.tree / "lib" / "ld-linux-x86-64.so.2", "--library-path", self.tree / "lib", "--list",
                                   self.tree / "bin" / program], capture_output=True, text=True, check=True).stdout
            for line in said.splitlines():
                if "=>" in line:
                    self.assertIn(str(self.tree), line)

    def test_no_folder_of_the_builder_is_in_it(self):
        for program in ("gpu-agent", "gpu-suite"):
            self.assertNotIn(str(ROOT).encode(), (self.tree / "bin" / program).read_bytes())

    def test_runs_with_an_empty_environment_and_by_a_link(self):
        with tempfile.TemporaryDirectory() as folder:
            link = pathlib.Path(folder) / "agent"
            link.symlink_to(self.tree / "gpu-agent")
            for program in (self.tree / "gpu-agent", link):
                run = subprocess.run([program, "--version"], env={}, capture_output=True, text=True, check=False, cwd="/")
                if program == link: # the name of the program is the link's target's
                    self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertIn(self.tree.name.split("-")[2], run.stdout)
            run = subprocess.run(["./gpu-agent", "--version"], env={}, capture_output=True, text=True, check=False, cwd=self.tree)
            self.assertEqual(run.returncode, 0, run.stderr)

    def test_samples_as_the_built_one_does(self):
        with Sim(NODE) as sim, Agent(sim, program=self.tree / "gpu-agent") as agent:
            page = agent.page()
            self.assertEqual(len(page.all("gpu_agent_device_info")), 2)
            self.assertEqual(len(page.all("gpu_agent_instance_info")), 5)
            names = {pathlib.Path(f"/proc/{pid}/comm").read_text().strip() for pid in agent.processes()}
            self.assertTrue(all(name.startswith("gpu-agent") for name in names), f"as ps shows it: {names}")
            self.assertEqual(agent.stop(), 0)

    def test_the_library_is_found_by_LD_LIBRARY_PATH(self):
        with Sim(NODE) as sim, Agent(sim, program=self.tree / "gpu-agent", library=False,
                                     env={"LD_LIBRARY_PATH": str(NVML_SIM)}) as agent:
            self.assertEqual(len(agent.page().all("gpu_agent_device_info")), 2)

    @unittest.skipUnless(os.geteuid() == 0, "chroot wants root")
    def test_in_an_empty_root(self):
        """Only the bundle, /proc and the library, where a container's runtime would put it."""
        with Sim(NODE) as sim, tempfile.TemporaryDirectory(prefix="gm-root-") as folder:
            root = pathlib.Path(folder)
            shutil.copytree(self.tree, root / "opt", symlinks=True)
            where = root / "usr/lib/x86_64-linux-gnu"
            where.mkdir(parents=True)
            shutil.copy(Sim.library, where / "libnvidia-ml.so.1")
            shutil.copytree(sim.folder, root / "sim", dirs_exist_ok=True)
            for name in ("proc", "run", "tmp", "var", "dev"):
                (root / name).mkdir()
            port = free_port()
            process = subprocess.Popen(
                ["unshare", "--mount", "--fork", "sh", "-c",
                 f'mount -t proc proc {root}/proc && exec chroot {root} /opt/gpu-agent --listen 127.0.0.1:{port} '
                 f'--interval 100ms --set kubelet.socket=none --set socket=/run/agent.sock --set state-dir=/var/agent'],
                env={"PATH": os.environ["PATH"], "NVML_SIM_STATE": "/sim/world", "NVML_SIM_SCENARIO": "/sim/scenario.yml"},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
            try:
                agent = Agent.__new__(Agent)
                agent.port = port
                page = wait_for("boards", lambda: (p := agent.page()).all("gpu_agent_instance_info") and p)
                self.assertEqual(len(page.all("gpu_agent_instance_info")), 5)
                self.assertEqual(agent.get("/healthz").status, 200)
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                said = process.communicate(timeout=DEADLINE_S)[0]
            self.assertNotIn("error", said.lower())

    def test_the_suite_passes_on_the_simulator(self):
        """Not a word about a real driver: that the suite runs, compares and can pass, beside a stand-in for nvidia-smi."""
        with Sim(NODE) as sim:
            environment = {"PATH": os.environ["PATH"], "NVML_LIBRARY": str(Sim.library), **sim.environment}
            command = [self.tree / "gpu-suite", "--nvml", str(Sim.library), "--nvidia-smi", str(STAND_IN), "--seconds",
                       "60" if LONG else "4"]
            run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertRegex(run.stdout, r"\n\d{2,} passed, 0 failed\n$")
            # It finds what it is for: a driver that fills a struct with nonsense, a setting that changes behind its back.
            sim.fault("nvmlDeviceGetTemperature* garbage")
            run = subprocess.run([*command[:-1], "1"], env=environment, capture_output=True, text=True, timeout=240, check=False)
            self.assertEqual(run.returncode, 1)
            self.assertIn("FAILED", run.stdout)

    def test_the_suite_says_when_there_is_no_gpu(self):
        run = subprocess.run([self.tree / "gpu-suite", "--nvml", "/nowhere/libnvidia-ml.so.1"], capture_output=True, text=True,
                             timeout=30, check=False)
        self.assertEqual(run.returncode, 77)
        self.assertRegex(run.stdout, r"^skipped: ")

    @unittest.skipUnless(LONG, "GM_LONG=1 runs it")
    def test_the_same_twice(self):
        with tempfile.TemporaryDirectory(prefix="gm-bundle-") as folder:
            other, _ = make(folder)
            a, b = (pathlib.Path(f"{t}.tar.gz").read_bytes() for t in (self.tree, other))
            self.assertEqual(a, b)
            with tarfile.open(f"{other}.tar.gz") as archive:
                self.assertTrue(all(m.uid == 0 and m.name.startswith(other.name) for m in archive.getmembers()))


if __name__ == "__main__":
    unittest.main()
