#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Scrapes one farm of exporters with gpu-monitor and with a peer, side by side, and compares CPU time and memory.

Both keep every family of the farm's pages on disk. Times are counted from the moment both have all targets, so that
neither is charged for starting. Prints `figure NAME VALUE UNIT` and `ratio NAME VALUE` (ours / peer) lines.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HOST = "127.0.0.1"
TICK = os.sysconf("SC_CLK_TCK")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def get(url, timeout=10):
    with DIRECT.open(url, timeout=timeout) as answer:
        return answer.read()


def target_address(index):
    """The farm's own rule: target i is 127.1.0.1 + i."""
    n = 0x7F010001 + index
    return ".".join(str(n >> shift & 255) for shift in (24, 16, 8, 0))


class Program:
    """A process of ours: its log, its CPU time, its memory."""

    def __init__(self, name, command, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        self.peak_rss = self.peak_anon = 0
        self.cpu_at_start = 0.0
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def check(self):
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise Failed(f"{self.name} ended with status {self.process.returncode}:\n{tail}")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def look(self):
        """Notes the present memory, in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            key, _, rest = line.partition(":")
            if key == "VmRSS":
                self.peak_rss = max(self.peak_rss, int(rest.split()[0]) * 1024)
            elif key == "RssAnon":
                self.peak_anon = max(self.peak_anon, int(rest.split()[0]) * 1024)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Farm(Program):
    def __init__(self, binary, args, folder):
        self.port = free_port()
        super().__init__("farm", [binary, "--targets", str(args.targets), "--gpus", str(args.gpus), "--port",
                                  str(self.port), "--seed", str(args.seed)], folder)

    def ready(self):
        return b"ready" in self.log.read_bytes()

    def count_anew(self):
        self.process.send_signal(signal.SIGUSR1)

    def report(self):
        self.stop()
        lines = (line.split() for line in self.log.read_text().splitlines())
        return {key: float(value) for key, value, *rest in lines if not rest and key not in ("listening", "ready")}


class Monitor(Program):
    """gpu-monitor with the embedded database."""

    def __init__(self, binary, farm, args, folder):
        self.port, self.boards = free_port(), args.targets * args.gpus
        (folder / "targets.json").write_text(json.dumps([
            {"url": f"http://{target_address(i)}:{farm.port}/metrics", "node": f"gpu-node-{i:05d}"}
            for i in range(args.targets)]))
        config = folder / "gpu-monitor.yml"
        config.write_text(f"cluster:\n  name: bench\n"
                          f"gpu:\n  management:\n    metrics:\n      collection-interval: {args.interval}s\n"
                          f"scrape:\n  targets-file: {folder / 'targets.json'}\n  timeout: {args.interval}s\n"
                          f"database:\n  url: sqlite:{folder / 'gpu-monitor.db'}\n"
                          f"server:\n  bind: {HOST}\n  port: {self.port}\n")
        self.data = [folder / f"gpu-monitor.db{end}" for end in ("", "-wal")]
        super().__init__("gpu_monitor", [binary, "--profile", "development", "--config", str(config)], folder)

    def ready(self):
        try:
            overview = json.loads(get(f"http://{HOST}:{self.port}/k8s-monitor/api/v1/gpu/overview"))
        except (urllib.error.URLError, OSError, ValueError):
            return False
        return overview["totalGpuDevices"] == self.boards

    def disk_bytes(self):
        return sum(f.stat().st_size for f in self.data if f.exists())


class Peer(Program):
    """What both peers have in common: the scrape configuration and the query interface."""

    def __init__(self, name, command, port, farm, args, folder):
        self.port, self.targets, self.store = port, args.targets, folder / f"{name}-data"
        addresses = "".join(f"      - '{target_address(i)}:{farm.port}'\n" for i in range(args.targets))
        (folder / "peer.yml").write_text(f"global:\n  scrape_interval: {args.interval}s\n"
                                         f"  scrape_timeout: {args.interval}s\n"
                                         f"scrape_configs:\n- job_name: dcgm\n  static_configs:\n  - targets:\n"
                                         f"{addresses}")
        super().__init__(name, command, folder)

    def ask(self, query):
        answer = json.loads(get(f"http://{HOST}:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": query})))
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def ready(self):
        try:
            return self.ask("count(up == 1)") == self.targets
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            return False

    def disk_bytes(self):
        return sum(f.stat().st_size for f in self.store.rglob("*") if f.is_file())


def prometheus(binary, farm, args, folder):
    port = free_port()
    return Peer("prometheus", [binary, f"--config.file={folder / 'peer.yml'}",
                               f"--storage.tsdb.path={folder / 'prometheus-data'}",
                               f"--web.listen-address={HOST}:{port}", "--log.level=warn"], port, farm, args, folder)


def victoria_metrics(binary, farm, args, folder):
    port = free_port()
    return Peer("victoria_metrics", [binary, f"-promscrape.config={folder / 'peer.yml'}",
                                     f"-storageDataPath={folder / 'victoria_metrics-data'}",
                                     f"-httpListenAddr={HOST}:{port}", "-search.latencyOffset=0s",
                                     "-loggerLevel=ERROR"], port, farm, args, folder)


PEERS = {"prometheus": prometheus, "victoria-metrics": victoria_metrics}


def wait_until(what, ready, programs, seconds):
    end = time.monotonic() + seconds
    while not ready():
        for p in programs:
            p.check()
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)


def measure(programs, seconds):
    for p in programs:
        p.cpu_at_start = p.cpu_seconds()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        for p in programs:
            p.check()
            p.look()
    return {p.name: p.cpu_seconds() - p.cpu_at_start for p in programs}


def figure(name, value, unit):
    print(f"figure {name} {value:.3f} {unit}", flush=True)


def report(args, scrapers, cpu, seconds, farm):
    for p in scrapers:
        if not p.ready():
            raise Failed(f"{p.name} has lost targets by the end")
    for p in scrapers:
        figure(f"scrape_{p.name}_cpu", cpu[p.name], "seconds")
        figure(f"scrape_{p.name}_cores", cpu[p.name] / seconds * 100, "percent")
        figure(f"scrape_{p.name}_rss", p.peak_rss / 2**20, "MiB")
        figure(f"scrape_{p.name}_rss_anonymous", p.peak_anon / 2**20, "MiB")
        figure(f"scrape_{p.name}_disk", p.disk_bytes() / 2**20, "MiB")
    if len(scrapers) == 2:
        ours, peer = scrapers
        print(f"ratio scrape_cpu_to_{peer.name} {cpu[ours.name] / cpu[peer.name]:.3f}")
        print(f"ratio scrape_rss_to_{peer.name} {ours.peak_rss / peer.peak_rss:.3f}", flush=True)
    cost = farm.report()
    if cost["targets_asked"] != args.targets:
        raise Failed(f"only {cost['targets_asked']:.0f} of {args.targets} targets were asked")
    figure("scrape_farm_cpu", cost["cpu_seconds"], "seconds")
    figure("scrape_farm_pages", cost["pages"], "pages")
    if len(scrapers) == 1: # with two, the gap between pages says nothing about either
        figure("scrape_late", max(0.0, cost["longest_gap_ms"] / 1000 - args.interval), "seconds")


def run(args, binaries, folder):
    programs = []
    try:
        farm = Farm(binaries["farm"], args, folder)
        programs.append(farm)
        wait_until("the farm", farm.ready, programs, 30)
        if binaries["ours"]:
            programs.append(Monitor(binaries["ours"], farm, args, folder))
        if binaries["peer"]:
            programs.append(PEERS[args.peer](binaries["peer"], farm, args, folder))
        scrapers = programs[1:]
        for p in scrapers:
            wait_until(f"{p.name} with all targets", p.ready, programs, 180 + 4 * args.interval)
        measure(programs, args.warmup)
        farm.count_anew()
        cpu = measure(programs, args.duration)
        report(args, scrapers, cpu, args.duration, farm)
    finally:
        for p in reversed(programs):
            p.stop()


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default="build", help="folder of the build (default: %(default)s)")
    a.add_argument("--farm", help="exporter-farm (default: in the build's bench folder)")
    a.add_argument("--gpu-monitor", help="our program, or none (default: the build's)")
    a.add_argument("--peer", choices=[*PEERS, "none"], default="prometheus")
    a.add_argument("--targets", type=int, default=2000)
    a.add_argument("--gpus", type=int, default=8)
    a.add_argument("--interval", type=int, default=5, help="seconds between two scrapes of a target")
    a.add_argument("--duration", type=int, default=300, help="seconds measured")
    a.add_argument("--warmup", type=int, default=10, help="seconds before, with all targets there")
    a.add_argument("--seed", type=int, default=1)
    return a.parse_args()


def main():
    args = arguments()
    build = pathlib.Path(args.build)
    binaries = {
        "farm": shutil.which(args.farm or str(build / "bench" / "exporter-farm")),
        "ours": None if args.gpu_monitor == "none" else shutil.which(args.gpu_monitor or str(build / "gpu-monitor")),
        "peer": None if args.peer == "none" else shutil.which(args.peer),
    }
    if not binaries["farm"] or (not binaries["ours"] and args.gpu_monitor != "none"):
        sys.exit("scrape.py: exporter-farm or gpu-monitor is not built")
    if not binaries["ours"] and args.peer == "none":
        sys.exit("scrape.py: nobody to measure")
    if args.peer != "none" and not binaries["peer"]:
        print(f"skipped {args.peer} is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="gm-bench-scrape-") as folder:
        try:
            run(args, binaries, pathlib.Path(folder))
        except Failed as e:
            sys.exit(f"scrape.py: {e}")


if __name__ == "__main__":
    main()
