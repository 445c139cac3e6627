#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the agent costs, on the simulated driver: 8 H100 of 7 busy slices each, a sample a second.

Memory is the proportional share (PSS) of all its processes; once whole, once without what the NVML library itself maps (its
file and the world behind it; its heap, which a real driver's library has as well, counts as ours). CPU is of all threads, in
per cent of a core, while it is scraped every 15 s; what the simulated driver computes in its calls is in it. A peer
(nvitop-exporter) runs in the same minute on the same world, when it is installed. dcgm-exporter cannot: it wants DCGM's
host engine, which does not run on a simulated driver.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "system"))
import harness # noqa: E402 pylint: disable=wrong-import-position

ROOT = pathlib.Path(__file__).resolve().parent.parent
FULL = (ROOT / "examples" / "nvml-sim" / "full.yml").read_text()
IDLE = re.sub(r"workloads: true", "workloads: false", FULL)
HUNG, STATE, ABANDONED = "gpu_agent_driver_hung", "gpu_agent_device_state", "gpu_agent_children_abandoned"


def figure(name, value, unit):
    print(f"figure agent.{name} {value:.3f} {unit}", flush=True)


def memory(pids, theirs=()):
    """(all, without the mappings of `theirs`) in MiB, shared pages divided by those who share them."""
    whole = without = 0
    for pid in pids:
        mapped = False
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
                mapped = any(name in line for name in theirs)
            elif line.startswith("Pss:"):
                kib = int(line.split()[1])
                whole += kib
                without += 0 if mapped else kib
    return whole / 1024, without / 1024


def cpu_seconds(pid):
    """Nanoseconds where the kernel has them, of all threads there are."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def pages(build, name, port, path="/metrics"):
    """2,400 requests on one connection at a steady rate: latency counts from when each was due."""
    run = subprocess.run([str(build / "bench" / "http-load"), "-c", "1", "-r", "400", "-d", "6", "-n", "x", str(port), path],
                         capture_output=True, text=True, check=True)
    found = {m[0]: float(m[1]) for m in re.findall(r"figure x_(\w+) ([\d.]+)", run.stdout)}
    if found.get("errors"):
        raise SystemExit(f"{name}: {found['errors']:.0f} answers were not 200")
    figure(f"page_{name}_p50", found["p50"], "ms")
    figure(f"page_{name}_p99", found["p99"], "ms")


class Peer:
    """nvitop-exporter, unmodified, on the same world."""

    def __init__(self, program, sim, folder):
        self.port = harness.free_port()
        self.log = open(folder / "peer.log", "wb")
        self.process = subprocess.Popen(
            [program, "--bind-address", "127.0.0.1", "--port", str(self.port), "--interval", "1"], stdout=self.log,
            stderr=self.log, env={**os.environ, **sim.environment, "LD_LIBRARY_PATH": str(harness.NVML_SIM)})
        harness.wait_for("the peer", lambda: harness.Agent.get(self, "/metrics").status == 200)

    request, _ask = harness.Agent.request, staticmethod(harness.Agent._ask)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def cost(build, options, folder):
    with harness.Sim(FULL) as sim, harness.Agent(sim, interval="1s") as agent:
        agent.wait_for("all slices", lambda p: len(p.all("gpu_agent_instance_info")) == 56)
        peer = Peer(options.peer, sim, folder) if options.peer else None
        try:
            measure_cost(build, options, sim, agent, peer)
        finally:
            if peer:
                peer.stop()
        name = sim.show()["gpus"][3]["uuid"]
        sim.fault("nvmlDeviceGetMemoryInfo gpu=3 block")
        agent.wait_for("a hang", lambda p: p.value(HUNG, uuid=name) == 1)
        pages(build, "with_a_hung_gpu", agent.port)
        sim.fault("nvmlDeviceGetMemoryInfo gpu=4 block-library")
        agent.wait_for("a second process", lambda p: p.value(ABANDONED) == 1)
        pages(build, "with_a_held_lock", agent.port)
        whole, without = memory(agent.processes(), (str(sim.library), str(sim.state)))
        figure("memory_while_hung_without_nvml", without, "MiB")
        sim.tell("clear all")
        if agent.stop() != 0:
            raise SystemExit("the agent did not end well")


def measure_cost(build, options, sim, agent, peer):
    time.sleep(15) # until tables, pools and the first minute's work are behind them
    pids = agent.processes()
    before = {pid: cpu_seconds(pid) for pid in pids}
    peer_before = cpu_seconds(peer.process.pid) if peer else 0
    begin = time.monotonic()
    while (left := begin + options.seconds - time.monotonic()) > 0:
        time.sleep(min(15, left))
        agent.page()
        if peer:
            harness.Agent.get(peer, "/metrics")
    seconds = time.monotonic() - begin
    used = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
    if agent.processes() != pids:
        raise SystemExit("its processes were not the same all the time")
    total = sum(used.values()) / seconds * 100
    figure("cpu", total, "percent_of_a_core")
    figure("cpu_of_the_process_that_serves", used[agent.process.pid] / seconds * 100, "percent_of_a_core")
    whole, without = memory(pids, (str(sim.library), str(sim.state)))
    figure("memory", whole, "MiB")
    figure("memory_without_nvml", without, "MiB")
    figure("processes", len(pids), "processes")
    figure("page", len(agent.page().text) / 1024, "KiB")
    pages(build, "calm", agent.port)
    if peer:
        peer_cpu = (cpu_seconds(peer.process.pid) - peer_before) / (time.monotonic() - begin) * 100
        peer_memory = memory([peer.process.pid], (str(sim.library), str(sim.state)))[1]
        figure("peer_nvitop_exporter_cpu", peer_cpu, "percent_of_a_core")
        figure("peer_nvitop_exporter_memory_without_nvml", peer_memory, "MiB")
        print(f"ratio agent_cpu_to_nvitop_exporter {total / peer_cpu:.3f}")
        print(f"ratio agent_memory_to_nvitop_exporter {without / peer_memory:.3f}", flush=True)


def cycles(options):
    """Every cycle a call hangs, is found, and returns; each tenth holds the library's lock, so that a process takes over."""
    with harness.Sim(FULL) as sim, harness.Agent(sim, "--set", "hung-after=200ms", interval="100ms") as agent:
        names = [b["uuid"] for b in sim.show()["gpus"]]
        kept, first, took = [], None, []
        for i in range(options.cycles):
            n = i % len(names)
            begin = time.monotonic()
            fault = sim.fault(f"nvmlDeviceGetMemoryInfo gpu={n} block{'-library' if i % 10 == 9 else ''}")
            agent.wait_for("a hang", lambda p, n=n: p.value(HUNG, uuid=names[n]) == 1)
            took.append(time.monotonic() - begin)
            sim.tell(f"clear {fault}")
            agent.wait_for("its end", lambda p: all(v == 0 for _, v in p.all(HUNG)) and p.value(ABANDONED) == 0)
            if i >= 20 and i % 20 == 0 or i == options.cycles - 1:
                harness.wait_for("one sampler", lambda: agent.page().value("gpu_agent_children") == 1)
                pids = agent.processes()
                kept.append(memory(pids, (str(sim.library), str(sim.state)))[1])
                first = first or len(pids)
                if len(pids) != first:
                    raise SystemExit(f"{len(pids)} processes after {i + 1} cycles, {first} at first")
        page = agent.page()
        figure("hang_cycles", options.cycles, "cycles")
        figure("hang_cycle_found_after", statistics.median(took), "seconds")
        figure("hang_cycles_memory_first", kept[0], "MiB")
        figure("hang_cycles_memory_last", kept[-1], "MiB")
        figure("hang_cycles_memory_growth", kept[-1] - kept[0], "MiB")
        figure("hang_cycles_processes", first, "processes")
        figure("hang_cycles_crashes", page.value("gpu_agent_child_crashes_total"), "crashes")


def apply(agent, layout):
    """Every board to this layout, over the socket; seconds from the request to the end of the operation."""
    state = agent.by_socket("GET", "/v1/mig").json
    body = {"removeUnused": True, "devices": [{"uuid": d["uuid"], "stateHash": d["stateHash"], "mode": "on", "layout": layout} for d in state["devices"]]}
    begin = time.monotonic()
    answer = agent.by_socket("POST", "/v1/mig/apply", body)
    if answer.status not in (200, 202):
        raise SystemExit(f"apply: {answer.status} {answer.body[:400]}")
    number = answer.json["id"]
    while True:
        operation = agent.by_socket("GET", f"/v1/mig/operations/{number}").json
        if operation["done"]:
            break
        time.sleep(0.001)
    if operation["state"] != "succeeded":
        raise SystemExit(f"apply: {json.dumps(operation)[:1000]}")
    return time.monotonic() - begin


def mig():
    layouts = ([{"profile": "3g.40gb", "placement": 4}, {"profile": "4g.40gb", "placement": 0}],
               [{"profile": "1g.10gb", "placement": i} for i in range(7)])
    with harness.Sim(IDLE) as sim, harness.Agent(sim, interval="1s") as agent:
        times = []
        for i in range(6):
            times.append(apply(agent, layouts[i % 2]))
            instances = sum(len(b["instances"]) for b in sim.show()["gpus"])
            if instances != 8 * len(layouts[i % 2]):
                raise SystemExit(f"{instances} instances after the apply")
            page = agent.wait_for("shown", lambda p, i=i: len(p.all("gpu_agent_instance_info")) == 8 * len(layouts[i % 2]))
            # A request that comes before the last change was read back waits for that: it is no part of the next.
            seen = page.value("gpu_agent_rounds_total")
            agent.wait_for("read back", lambda p, seen=seen: p.value("gpu_agent_rounds_total") >= seen + 2)
        figure("mig_apply_8_boards", statistics.median(times), "seconds")
        figure("mig_apply_8_boards_longest", max(times), "seconds")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--agent", help="gpu-agent; that of a bundle shares its libraries with nobody, as on a node")
    parser.add_argument("--seconds", type=int, default=60, help="of CPU time measured")
    parser.add_argument("--cycles", type=int, default=200, help="hang-and-return cycles")
    parser.add_argument("--long", action="store_true", help="2,000 of them")
    parser.add_argument("--peer", default=shutil.which("nvitop-exporter"), help="nvitop-exporter, or none")
    parser.add_argument("--only", choices=["cost", "cycles", "mig"], help="one part of it")
    options = parser.parse_args()
    options.cycles = 2000 if options.long else options.cycles
    options.peer = None if options.peer == "none" else options.peer
    build = options.build.resolve()
    harness.AGENT, harness.NVML_SIM = options.agent or str(build / "gpu-agent"), build / "nvml-sim"
    harness.Sim.library = harness.NVML_SIM / "libnvidia-ml.so.1"
    if not options.peer:
        print("skipped the peer: nvitop-exporter is not installed")
    with tempfile.TemporaryDirectory(prefix="gm-bench-agent-") as folder:
        if options.only in (None, "cost"):
            cost(build, options, pathlib.Path(folder))
        if options.only in (None, "mig"):
            mig()
        if options.only in (None, "cycles"):
            cycles(options)


if __name__ == "__main__":
    main()
