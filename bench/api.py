#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""REST at 20,000 GPUs: requests per CPU-second of the server, and latency at half of what saturates it.

Full answers over keep-alive, without If-None-Match. The server's CPU time is its own use under load less what the same
seconds cost it without requests (simulating, storing and publishing 20,000 GPUs each second), which is printed too.
"""
import argparse
import pathlib
import re
import subprocess
import tempfile
import time

from start import ask, start, stop

CONTEXT = "/k8s-monitor/api/v1"
CASES = (("overview", f"{CONTEXT}/gpu/overview"), ("devices", f"{CONTEXT}/gpu/devices?limit=100{{cursor}}"))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def load(build, process, port, path, *more):
    run = subprocess.run([str(build / "bench" / "http-load"), "-p", str(process.pid), "-n", "x", *more, str(port), path],
                         capture_output=True, text=True, check=True)
    return {m[0]: float(m[1]) for m in re.findall(r"figure x_(\w+) ([\d.]+)", run.stdout)}


def measure(build, process, port, name, path, seconds, idle, streams=()):
    full = load(build, process, port, path, "-c", "32", "-d", str(seconds), *streams)
    used = full["server_cpu"] / 100 - idle
    print(f"figure api.{name}_requests_per_cpu_second {full['requests'] / used:.0f} requests/s")
    print(f"figure api.{name}_requests_per_second {full['requests']:.0f} requests/s")
    calm = load(build, process, port, path, "-c", "32", "-d", str(seconds), "-r", str(int(full["requests"] / 2)), *streams)
    print(f"figure api.{name}_p50_at_half {calm['p50']:.3f} ms")
    print(f"figure api.{name}_p99_at_half {calm['p99']:.3f} ms")
    if full["errors"] or calm["errors"]:
        raise SystemExit(f"{name}: {full['errors'] + calm['errors']:.0f} answers were not 200")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--devices", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--streams", type=int, default=2000)
    options = parser.parse_args()
    build = options.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        process, port, _ = start(str(build / "gpu-monitor"), folder, "--simulate", str(options.devices), "--set",
                                 "server.max-streams-per-address=65536")
        try:
            while f'"totalGpuDevices":{options.devices}'.encode() not in ask(port, f"{CONTEXT}/gpu/overview"):
                time.sleep(0.1)
            time.sleep(3)  # the first renderings and commits are over
            before = cpu_seconds(process.pid)
            time.sleep(options.seconds)
            idle = (cpu_seconds(process.pid) - before) / options.seconds
            print(f"figure api.cpu_without_requests {idle:.3f} cores")
            for name, path in CASES:
                measure(build, process, port, name, path, options.seconds, idle)
            streams = ("-s", str(options.streams), "-S", f"{CONTEXT}/events?topics=fleet")
            measure(build, process, port, f"overview_beside_{options.streams}_streams", CASES[0][1], options.seconds, idle,
                    streams)
        finally:
            stop(process)


if __name__ == "__main__":
    main()
