#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands in for `nvidia-smi -q -x` where there is no driver: asks an NVML library by ctypes, on its own, and prints what it
says in the shape of nvidia-smi's document. NVML_LIBRARY names the library. Only what tests/gpu compares is printed.

It is no proof about NVIDIA's program; it exercises the suite: what the suite reads through our declarations is held against
what another program, with other declarations, reads.
"""
import ctypes
import os
import sys

MIB = 1 << 20
U32, U64, S32 = ctypes.c_uint, ctypes.c_ulonglong, ctypes.c_int
library = ctypes.CDLL(os.environ.get("NVML_LIBRARY", "libnvidia-ml.so.1"))


class MemoryV2(ctypes.Structure):
    _fields_ = [("version", U32), ("total", U64), ("reserved", U64), ("free", U64), ("used", U64)]


class Memory(ctypes.Structure):
    _fields_ = [("total", U64), ("free", U64), ("used", U64)]


class Pci(ctypes.Structure):
    _fields_ = [("legacy", ctypes.c_char * 16), ("domain", U32), ("bus", U32), ("device", U32), ("id", U32),
                ("subsystem", U32), ("bus_id", ctypes.c_char * 32)]


class Utilization(ctypes.Structure):
    _fields_ = [("gpu", U32), ("memory", U32)]


class Process(ctypes.Structure):
    _fields_ = [("pid", U32), ("used", U64), ("gi", U32), ("ci", U32)]


class Field(ctypes.Structure):
    _fields_ = [("id", U32), ("scope", U32), ("at", ctypes.c_longlong), ("latency", ctypes.c_longlong), ("type", U32),
                ("rc", U32), ("value", U64)]


def call(name, *args):
    """True when the library has it and answers 0."""
    function = getattr(library, name, None)
    return function is not None and function(*args) == 0


def number(name, device, *before, kind=U32):
    out = kind()
    return out.value if call(name, device, *before, ctypes.byref(out)) else None


def pair(name, device, kind=U32):
    a, b = kind(), kind()
    return (a.value, b.value) if call(name, device, ctypes.byref(a), ctypes.byref(b)) else (None, None)


def text(name, device, size):
    out = ctypes.create_string_buffer(size)
    return out.value.decode() if call(name, device, out, size) else None


def struct(name, device, value):
    return value if call(name, device, ctypes.byref(value)) else None


def field(device, which):
    one = Field(id=which)
    return one.value & 0xffffffff if call("nvmlDeviceGetFieldValues", device, 1, ctypes.byref(one)) and one.rc == 0 else None


def said(value, unit="", scale=1):
    if value is None:
        return "N/A"
    return f"{value / scale:.2f}{unit}" if scale != 1 and unit == " W" else f"{value // scale if scale != 1 else value}{unit}"


def mode(value, words=("Disabled", "Enabled")):
    return "N/A" if value is None else words[value]


class Document:
    def __init__(self):
        self.lines, self.depth = ['<?xml version="1.0" ?>', '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">'], 0

    def open(self, name, attributes=""):
        self.lines.append("\t" * self.depth + f"<{name}{attributes}>")
        self.depth += 1

    def close(self, name):
        self.depth -= 1
        self.lines.append("\t" * self.depth + f"</{name}>")

    def add(self, name, value):
        self.lines.append("\t" * self.depth + f"<{name}>{value}</{name}>")

    def group(self, name, *rows):
        self.open(name)
        for row in rows:
            self.add(*row)
        self.close(name)


def memory(d, device):
    m = struct("nvmlDeviceGetMemoryInfo_v2", device, MemoryV2(version=0x02000028))
    d.group("fb_memory_usage", *((n, said(getattr(m, n) if m else None, " MiB", MIB)) for n in ("total", "reserved", "used", "free")))


def processes(d, device):
    count = U32(0)
    library.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), None)
    count = U32(count.value + 8)
    rows = (Process * count.value)()
    if not call("nvmlDeviceGetComputeRunningProcesses_v3", device, ctypes.byref(count), rows):
        count.value = 0
    d.open("processes")
    for p in rows[:count.value]:
        d.group("process_info", ("gpu_instance_id", "N/A" if p.gi == 0xffffffff else p.gi), ("pid", p.pid), ("type", "C"))
    d.close("processes")


def mig(d, device):
    current, pending = pair("nvmlDeviceGetMigMode", device)
    d.group("mig_mode", ("current_mig", mode(current)), ("pending_mig", mode(pending)))
    d.open("mig_devices")
    for i in range((number("nvmlDeviceGetMaxMigDeviceCount", device) or 0) if current else 0):
        handle = ctypes.c_void_p()
        if not call("nvmlDeviceGetMigDeviceHandleByIndex", device, i, ctypes.byref(handle)):
            continue
        d.open("mig_device")
        d.add("index", i)
        d.add("gpu_instance_id", number("nvmlDeviceGetGpuInstanceId", handle))
        d.add("compute_instance_id", number("nvmlDeviceGetComputeInstanceId", handle))
        memory(d, handle)
        d.close("mig_device")
    d.close("mig_devices")


def counters(d, device):
    def ecc(kind):
        return said(number("nvmlDeviceGetTotalEccErrors", device, kind, 0, kind=U64))
    d.group("ecc_mode", ("current_ecc", mode(pair("nvmlDeviceGetEccMode", device)[0])))
    d.open("ecc_errors")
    d.group("volatile", ("dram_correctable", ecc(0)), ("dram_uncorrectable", ecc(1)))
    d.close("ecc_errors")
    row = [U32() for _ in range(4)]
    if call("nvmlDeviceGetRemappedRows", device, *map(ctypes.byref, row)):
        d.group("remapped_rows", ("remapped_row_corr", row[0].value), ("remapped_row_unc", row[1].value),
                ("remapped_row_pending", mode(row[2].value, ("No", "Yes"))),
                ("remapped_row_failure", mode(row[3].value, ("No", "Yes"))))


def clocks(d, device):
    d.group("clocks", ("graphics_clock", said(number("nvmlDeviceGetClockInfo", device, 0), " MHz")),
            ("sm_clock", said(number("nvmlDeviceGetClockInfo", device, 1), " MHz")),
            ("mem_clock", said(number("nvmlDeviceGetClockInfo", device, 2), " MHz")))
    d.group("max_clocks", ("sm_clock", said(number("nvmlDeviceGetMaxClockInfo", device, 1), " MHz")),
            ("mem_clock", said(number("nvmlDeviceGetMaxClockInfo", device, 2), " MHz")))


def power(d, device):
    draw = field(device, 186)
    if draw is None:
        draw = number("nvmlDeviceGetPowerUsage", device)
    d.group("gpu_power_readings", ("instant_power_draw", said(draw, " W", 1000)),
            ("current_power_limit", said(number("nvmlDeviceGetEnforcedPowerLimit", device), " W", 1000)),
            ("default_power_limit", said(number("nvmlDeviceGetPowerManagementDefaultLimit", device), " W", 1000)))


def bus(d, device):
    pci = struct("nvmlDeviceGetPciInfo_v3", device, Pci())
    d.open("pci")
    d.add("pci_bus_id", pci.bus_id.decode() if pci else "N/A")
    d.open("pci_gpu_link_info")
    d.group("pcie_gen", ("current_link_gen", said(number("nvmlDeviceGetCurrPcieLinkGeneration", device))))
    d.group("link_widths", ("max_link_width", said(number("nvmlDeviceGetMaxPcieLinkWidth", device), "x")),
            ("current_link_width", said(number("nvmlDeviceGetCurrPcieLinkWidth", device), "x")))
    d.close("pci_gpu_link_info")
    d.add("replay_counter", said(number("nvmlDeviceGetPcieReplayCounter", device)))
    d.close("pci")


def board(d, device):
    d.add("product_name", text("nvmlDeviceGetName", device, 96))
    d.add("persistence_mode", mode(number("nvmlDeviceGetPersistenceMode", device)))
    mig(d, device)
    d.add("serial", said(text("nvmlDeviceGetSerial", device, 30)))
    d.add("uuid", text("nvmlDeviceGetUUID", device, 96))
    d.add("minor_number", said(number("nvmlDeviceGetMinorNumber", device)))
    d.add("vbios_version", said(text("nvmlDeviceGetVbiosVersion", device, 32)))
    bus(d, device)
    fans = number("nvmlDeviceGetNumFans", device)
    d.add("fan_speed", said(number("nvmlDeviceGetFanSpeed", device) if fans else None, " %"))
    d.add("performance_state", "P" + said(number("nvmlDeviceGetPerformanceState", device)))
    memory(d, device)
    u = struct("nvmlDeviceGetUtilizationRates", device, Utilization())
    d.group("utilization", ("gpu_util", said(u.gpu if u else None, " %")), ("memory_util", said(u.memory if u else None, " %")),
            ("encoder_util", said(pair("nvmlDeviceGetEncoderUtilization", device)[0], " %")),
            ("decoder_util", said(pair("nvmlDeviceGetDecoderUtilization", device)[0], " %")))
    counters(d, device)
    d.group("temperature", ("gpu_temp", said(number("nvmlDeviceGetTemperature", device, 0), " C")),
            ("memory_temp", said(field(device, 82), " C")))
    power(d, device)
    clocks(d, device)
    processes(d, device)


def main():
    if sys.argv[1:] != ["-q", "-x"]:
        sys.exit("only -q -x is stood in for")
    count = U32()
    if not call("nvmlInit_v2") or not call("nvmlDeviceGetCount_v2", ctypes.byref(count)):
        sys.exit("the library does not answer")
    d = Document()
    d.open("nvidia_smi_log")
    d.add("attached_gpus", count.value)
    for i in range(count.value):
        device = ctypes.c_void_p()
        call("nvmlDeviceGetHandleByIndex_v2", i, ctypes.byref(device))
        d.open("gpu", f' id="{i}"')
        board(d, device)
        d.close("gpu")
    d.close("nvidia_smi_log")
    library.nvmlShutdown()
    print("\n".join(d.lines))


if __name__ == "__main__":
    main()
