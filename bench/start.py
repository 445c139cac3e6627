#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start to ready: with an empty database, and with 20,000 devices in it."""
import argparse
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, path):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    return answer


def start(program, folder, *args):
    """Returns the process, its port, and the milliseconds until /readyz answered 200."""
    port = free_port()
    begin = time.monotonic()
    process = subprocess.Popen(
        [program, "--profile", "development", "--set", f"server.port={port}", "--set", "server.bind=127.0.0.1", "--set",
         f"database.url=sqlite:{folder}/bench.db", "--set", "logging.level=error", *args],
        stdout=subprocess.DEVNULL, cwd=folder)
    while True:
        try:
            if ask(port, "/readyz").startswith(b"HTTP/1.1 200"):
                return process, port, (time.monotonic() - begin) * 1000
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"gpu-monitor ended with {process.returncode}")
            time.sleep(0.0005)


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--devices", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    program = str(options.build.resolve() / "gpu-monitor")
    times = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            process, _, ms = start(program, folder, "--simulate", "0")
            times.append(ms)
            stop(process)
    print(f"figure start.empty {statistics.median(times):.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        process, port, _ = start(program, folder, "--simulate", str(options.devices))
        while True:
            rows = re.search(rb"^gpu_monitor_store_rows_total (\d+)", ask(port, "/metrics"), re.M)
            if rows and int(rows.group(1)) >= options.devices * 5:
                break
            time.sleep(0.2)
        stop(process)
        times = []
        for _ in range(options.runs):
            process, port, ms = start(program, folder, "--simulate", "0")
            known = re.search(rb'"totalGpuDevices":(\d+)', ask(port, "/k8s-monitor/api/v1/gpu/overview"))
            if not known or int(known.group(1)) != options.devices:
                raise SystemExit(f"ready without its devices: {known and known.group(1)}")
            times.append(ms)
            stop(process)
    print(f"figure start.with_{options.devices}_devices {statistics.median(times):.1f} ms")


if __name__ == "__main__":
    main()
