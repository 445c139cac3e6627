#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How well requests are placed: MIG churn, which needs no data, and the traces of pods in DATA/openb."""
import argparse
import json
import pathlib
import subprocess

MIXES = ("uniform", "small", "large", "bimodal")
MIG = [("bestfit-lowest", ["--policy", "bestfit"]),
       ("bestfit-highest", ["--policy", "bestfit", "--start", "highest"]),
       ("fragmentation", ["--policy", "fragmentation"]),
       *((f"balanced-{moves}-moves", ["--policy", "balanced", "--moves", str(moves)]) for moves in range(4)),
       ("repack", ["--policy", "repack"])]
TRACES = ("default", "gpushare40", "multigpu20", "gpuspec10")
POLICIES = ("random", "bestfit", "fgd", "balanced")


def figure(name, value, unit):
    print(f"figure {name} {value:.2f} {unit}", flush=True)


def replay(gpuctl, *args):
    done = subprocess.run([gpuctl, "replay", *args, "-o", "json"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def mig(gpuctl, streams):
    for mix in MIXES:
        for name, args in MIG:
            mean = replay(gpuctl, "mig", "--mix", mix, "--streams", streams, *args)["mean"]
            figure(f"alloc.mig.{mix}.{name}.slices", mean["sliceAcceptancePercent"], "%")
            figure(f"alloc.mig.{mix}.{name}.7g", mean["acceptanceOf7gPercent"], "%")
            if mean["movesPerArrival"]:
                figure(f"alloc.mig.{mix}.{name}.moves", 100 * mean["movesPerArrival"], "moves/100-arrivals")


def openb(gpuctl, folder, seeds):
    nodes = folder / "openb_node_list_gpu_node.csv"
    for trace in TRACES:
        pods = folder / f"openb_pod_list_{trace}.csv"
        if not (nodes.is_file() and pods.is_file()):
            print(f"skipped alloc.openb.{trace}: {pods if nodes.is_file() else nodes} is not there")
            continue
        left = {}
        for policy in POLICIES:
            left[policy] = replay(gpuctl, "openb", "--nodes", str(nodes), "--pods", str(pods), "--policy", policy,
                                  "--seeds", seeds)["mean"]["unallocatedGpuPercent"]
            figure(f"alloc.openb.{trace}.{policy}.unallocated", left[policy], "%")
        print(f"ratio alloc.openb.{trace}.balanced-to-fgd {left['balanced'] / left['fgd']:.3f}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--gpuctl", required=True)
    options.add_argument("--data", default="", help="the folder that has openb/; without it the traces are skipped")
    options.add_argument("--streams", default="1..200")
    options.add_argument("--seeds", default="42..51")
    given = options.parse_args()
    mig(given.gpuctl, given.streams)
    if given.data:
        openb(given.gpuctl, pathlib.Path(given.data) / "openb", given.seeds)
    else:
        print("skipped alloc.openb: no --data")


if __name__ == "__main__":
    main()
