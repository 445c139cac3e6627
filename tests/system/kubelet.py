# SPDX-License-Identifier: MIT
"""The kubelet's PodResources service for tests: a real gRPC server (grpcio, from the Python index) on a unix socket.

grpcio is put into a folder of its own beside the build; where it cannot be had, the tests that need it are skipped and say so.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from harness import NVML_SIM
from test_nvml_sim import OFFLINE

HOME = NVML_SIM.parent / "grpc-python"
PYTHON = HOME / "bin" / "python3"


def python_with_grpc():
    """The path of a Python that has grpcio; skips the test where there is no network to get it from."""
    if not (HOME / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True, timeout=120)
        done = subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "grpcio"],
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0 and OFFLINE.search(done.stderr):
            raise unittest.SkipTest("no network to fetch grpcio")
        assert done.returncode == 0, done.stderr
        (HOME / "installed").touch()
    return PYTHON


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, value):
    """One field of a message: a text, bytes (a message), or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def devices(resource, *ids, numa=0):
    """Of a container."""
    topology = field(3, field(1, field(1, numa))) if numa is not None else b""
    return field(2, field(1, resource) + b"".join(field(2, i) for i in ids) + topology)


def claim(name, *resources, namespace="ml"):
    """Of a container; a resource is (driver, pool, device, [CDI names])."""
    return field(5, field(2, name) + field(3, namespace) + b"".join(
        field(4, b"".join(field(1, field(1, c)) for c in cdi) + field(2, driver) + field(3, pool) + field(4, device))
        for driver, pool, device, cdi in resources))


def container(name, *parts):
    """Of a pod; beside devices and claims it has CPUs (packed) and memory, which nobody here reads."""
    return field(3, field(1, name) + b"".join(parts) + field(3, bytes(range(8))) + field(4, field(1, "memory") + field(2, 1 << 30)))


def pod(namespace, name, *containers):
    return field(1, field(1, name) + field(2, namespace) + b"".join(containers))


class Kubelet:
    """`pods` is the whole message; change it, or `behave`, at any time."""

    def __init__(self, *pods, folder=None, gzip=False):
        self._tmp = None if folder else tempfile.TemporaryDirectory(prefix="gm-kubelet-")
        self.folder = pathlib.Path(folder or self._tmp.name)
        self.socket = self.folder / "kubelet.sock"
        self.gzip = gzip
        self.set(*pods)
        self.behave()
        self.process = None
        self.start()

    def _put(self, name, data):
        (self.folder / "new").write_bytes(data)
        os.rename(self.folder / "new", self.folder / name)

    def set(self, *pods):
        self._put("answer", b"".join(pods))

    def behave(self, **what):
        """delay=SECONDS, status="NAME" and message=, die=True; nothing: it answers."""
        self._put("behaviour", json.dumps(what).encode())

    def calls(self):
        path = self.folder / "calls"
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    def start(self):
        self.process = subprocess.Popen([python_with_grpc(), pathlib.Path(__file__).parent / "kubelet_server.py", self.socket,
                                         self.folder] + (["gzip"] if self.gzip else []), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise AssertionError(f"the gRPC server does not start: {self.process.stderr.read().decode()}")

    def stop(self, kill=False):
        if self.process.poll() is None and kill:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()

    def close(self):
        if self.process.returncode is None:
            self.stop()
        if self._tmp:
            self._tmp.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
