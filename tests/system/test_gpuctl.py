# SPDX-License-Identifier: MIT
"""gpuctl as people type it: help, exit codes, answers, and the places of what is wrong in files."""
import json
import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import unittest

from harness import LONG, ROOT

GPUCTL = os.environ.get("GM_GPUCTL", str(ROOT / "build" / "gpuctl"))
REPLAY = ROOT / "tests" / "data" / "replay"
NODES, PODS = REPLAY / "nodes.csv", REPLAY / "pods.csv"
DONE, FAILED, USAGE, INPUT = 0, 1, 2, 3


def gpuctl(*args, code=DONE):
    done = subprocess.run([GPUCTL, *map(str, args)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    assert (code == DONE) == (done.stderr == ""), done.stderr
    return done


def out(*args):
    return gpuctl(*args).stdout


def complaint(*args, code=USAGE):
    done = gpuctl(*args, code=code)
    assert done.stdout == "", done.stdout
    assert done.stderr.startswith("gpuctl: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr[len("gpuctl: "):-1]


class CommandLine(unittest.TestCase):
    def test_version(self):
        self.assertRegex(out("--version"), r"^gpuctl \d+\.\d+\.\d+\n$")

    def test_help_at_every_level_names_what_is_below_and_the_exit_codes(self):
        whole = out("--help")
        commands = re.findall(r"^  (replay \w+) ", whole, re.M)
        self.assertLessEqual({"replay mig", "replay openb"}, set(commands))
        self.assertEqual(re.findall(r"^  (replay \w+) ", out("replay", "--help"), re.M), commands)
        for command in commands:
            text = out(*command.split(), "--help")
            self.assertEqual(text, out(*command.split(), "-h"))
            self.assertIn(f"usage: gpuctl {command}", text)
            self.assertIn("--output table|wide|json|yaml", text)
            for code in (DONE, FAILED, USAGE, INPUT):
                self.assertRegex(text, rf"(?m)^  {code}  \w")
            self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_help_wins_over_what_is_missing(self):
        self.assertIn("(required)", out("replay", "openb", "--help"))
        self.assertIn("(required)", out("replay", "openb", "--policy", "fgd", "--help"))

    def test_wrong_command_lines(self):
        for args, says in [
                ((), "a command is missing"),
                (("replay",), "a command is missing"),
                (("reply",), "unknown command 'reply'"),
                (("replay", "nothing"), "unknown command 'replay nothing'"),
                (("replay", "mig", "--stream", "1"), "did you mean '--streams'"),
                (("replay", "mig", "--wholly-other"), "unknown option '--wholly-other'"),
                (("replay", "mig", "extra"), "'extra' is not expected"),
                (("replay", "mig", "--streams"), "wants a value"),
                (("replay", "mig", "--streams", "2..1"), "empty"),
                (("replay", "mig", "--streams", "1..10001"), "more than 10000"),
                (("replay", "mig", "--streams", "1-2"), "no range"),
                (("replay", "mig", "--streams", ""), "no range"),
                (("replay", "mig", "--moves", "4"), "moves"),
                (("replay", "mig", "--mix", "odd"), "uniform"),
                (("replay", "mig", "--policy", ""), "bestfit"),
                (("replay", "mig", "-o", "xml"), "table"),
                (("replay", "mig", "--model", "GTX1080"), "GTX1080"),
                (("replay", "mig", "--model", "A30"), "has no 3g slices"),
                (("replay", "openb", "--nodes", NODES), "'--pods' is missing"),
                (("replay", "openb", "--pods", PODS), "'--nodes' is missing"),
        ]:
            with self.subTest(args=args):
                self.assertIn(says, complaint(*args))

    def test_equals_sign_is_as_good_as_a_blank(self):
        self.assertEqual(out("replay", "mig", "--streams=1", "--mix=small"),
                         out("replay", "mig", "--streams", "1", "--mix", "small"))

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([GPUCTL, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
                                  check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("could not be written", done.stderr)


class Mig(unittest.TestCase):
    # Uniform mix, streams 1 and 2: slices accepted in percent, moves.
    EXACT = {
        ("bestfit", 0): [(86.8589, 0), (82.5695, 0)],
        ("fragmentation", 0): [(90.5464, 0), (85.9141, 0)],
        ("balanced", 0): [(90.6135, 0), (86.1714, 0)],
        ("balanced", 1): [(92.6919, 87), (88.7442, 138)],
        ("balanced", 3): [(93.9826, 204), (88.5673, 296)],
        ("repack", 0): [(94.5189, 1980), (90.1431, 2955)],
    }

    def test_exact_answers(self):
        for (policy, moves), streams in self.EXACT.items():
            with self.subTest(policy=policy, moves=moves):
                answer = json.loads(out("replay", "mig", "--policy", policy, "--moves", moves, "--streams", "1..2",
                                        "-o", "json"))
                self.assertEqual(set(answer), {"model", "mix", "policy", "streams", "mean"})
                self.assertEqual((answer["model"], answer["mix"], answer["policy"]), ("A100_80GB", "uniform", policy))
                self.assertEqual([(s["sliceAcceptancePercent"], s["moves"]) for s in answer["streams"]], streams)
                self.assertEqual([s["stream"] for s in answer["streams"]], [1, 2])
                self.assertEqual(set(answer["mean"]), {"sliceAcceptancePercent", "acceptancePercent",
                                                       "acceptanceOf7gPercent", "movesPerArrival"})
                self.assertAlmostEqual(answer["mean"]["sliceAcceptancePercent"],
                                       sum(s[0] for s in streams) / 2, places=3)

    def test_the_same_again(self):
        args = ("replay", "mig", "--moves", 3, "--mix", "small", "--streams", "5..7", "-o", "json")
        self.assertEqual(out(*args), out(*args))

    def test_boards_of_one_table_are_alike(self):
        a = json.loads(out("replay", "mig", "--streams", "1..3", "-o", "json"))
        b = json.loads(out("replay", "mig", "--streams", "1..3", "--model", "H100_80GB", "-o", "json"))
        self.assertEqual(a["streams"], b["streams"])

    def test_ours_beats_best_fit_and_moves_help(self):
        streams = "1..200" if LONG else "1..4"

        def ask(mix, *args):
            return json.loads(out("replay", "mig", "--mix", mix, "--streams", streams, "-o", "json", *args))["mean"]

        for mix in ("uniform", "small", "large", "bimodal"):
            with self.subTest(mix=mix):
                best = [ask(mix, "--policy", "bestfit", "--start", start) for start in ("lowest", "highest")]
                ours = [ask(mix, "--moves", moves) for moves in range(4)]
                free = ask(mix, "--policy", "repack")
                rising = [max(b["sliceAcceptancePercent"] for b in best)]
                rising += [o["sliceAcceptancePercent"] for o in ours] + [free["sliceAcceptancePercent"]]
                self.assertEqual(rising, sorted(rising))
                self.assertGreater(ours[0]["acceptanceOf7gPercent"], max(b["acceptanceOf7gPercent"] for b in best))
                self.assertEqual(ours[0]["movesPerArrival"], 0)
                self.assertTrue(all(0 < o["movesPerArrival"] < 0.2 for o in ours[1:]))

    def test_table(self):
        lines = out("replay", "mig", "--streams", "1..2").splitlines()
        self.assertIn("policy balanced", lines[0])
        self.assertEqual(lines[-1].split(), ["88.39", "93.54", "77.33", "0.0000"])

    def test_progress_is_for_terminals(self):
        main, end = pty.openpty()
        with subprocess.Popen([GPUCTL, "replay", "mig", "--streams", "1..10000", "--mix", "small", "--policy", "repack"],
                              stdout=subprocess.DEVNULL, stderr=end) as running:
            os.close(end)
            shown = b""
            try:
                while b" of 10000" not in shown:
                    self.assertTrue(select.select([main], [], [], 60)[0])
                    shown += os.read(main, 4096)
            finally:
                running.terminate()
        os.close(main)
        self.assertRegex(shown.decode(), r"^\r\x1b\[Kstream \d+ of 10000")


class Openb(unittest.TestCase):
    # The trace of ours beside this test, seeds 1 to 3.
    EXACT = {
        "random": [14.4878, 11.122, 19.9146],
        "bestfit": [2.7195, 9.2195, 4.6707],
        "fgd": [2.3537, 9.2195, 2.5366],
        "balanced": [2.3537, 9.2195, 2.5366],
    }

    def ask(self, policy, seeds="1..3", nodes=NODES, pods=PODS):
        return json.loads(out("replay", "openb", "--nodes", nodes, "--pods", pods, "--policy", policy, "--seeds",
                              seeds, "-o", "json"))

    def test_exact_answers(self):
        for policy, figures in self.EXACT.items():
            with self.subTest(policy=policy):
                answer = self.ask(policy)
                self.assertEqual(set(answer), {"policy", "seeds", "mean"})
                self.assertEqual(answer["policy"], policy)
                self.assertEqual([s["seed"] for s in answer["seeds"]], [1, 2, 3])
                self.assertEqual([s["unallocatedGpuPercent"] for s in answer["seeds"]], figures)
                self.assertAlmostEqual(answer["mean"]["unallocatedGpuPercent"], sum(figures) / 3, places=3)
                self.assertEqual(answer, self.ask(policy))

    def test_a_curve_never_rises_and_holds_the_figure(self):
        for seed in self.ask("balanced")["seeds"]:
            curve = seed["curve"]
            arrived = [p["arrivedPercent"] for p in curve]
            left = [p["unallocatedGpuPercent"] for p in curve]
            self.assertEqual(arrived, sorted(set(arrived)))
            self.assertEqual(left, sorted(left, reverse=True))
            self.assertLessEqual(arrived[-1], 130)
            self.assertIn(seed["unallocatedGpuPercent"], left)

    def test_order_of_rows_and_line_ends_do_not_matter(self):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for source in (NODES, PODS):
                head, *rows = source.read_text().splitlines()
                files.append(pathlib.Path(folder) / source.name)
                files[-1].write_bytes(("\ufeff" + "\r\n".join([head, "", *reversed(rows)])).encode())
            self.assertEqual(self.ask("random")["mean"], self.ask("random", nodes=files[0], pods=files[1])["mean"])

    def test_table(self):
        lines = out("replay", "openb", "--nodes", NODES, "--pods", PODS, "--seeds", "1..3").splitlines()
        self.assertIn("nodes 18  GPUs 82", lines[0])
        self.assertEqual(lines[-1].split(), ["mean", "4.70"])

    def test_what_is_wrong_in_a_file_has_its_place(self):
        head = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
        row = "a,1000,1000,1,500,\n"
        for text, place, says in [
                ("", ":1", "empty"),
                ("name,cpu_milli,memory_mib,num_gpu\n", ":1", "no column 'gpu_milli'"),
                (head, ":1", "no pod that wants a GPU"),
                (head + row + "b,1000,1000,1\n", ":3", "4 fields"),
                (head + row + "\n\nb,1000,1000,1,500,,\n", ":5", "7 fields"),
                (head + row + "b,many,1000,1,500,\n", ":3:3", "cpu_milli 'many'"),
                (head + "b,1000,-1,1,500,\n", ":2:8", "memory_mib '-1'"),
                (head + "b,1000,1000,17,1000,\n", ":2:13", "0 to 16"),
                (head + "b,1000,1000,1,0,\n", ":2:15", "1 to 1000"),
                (head + "b,1000,1000,1,1001,\n", ":2:15", "1 to 1000"),
                (head + ",1000,1000,1,100,\n", ":2", "name"),
                (head + "b,1000,1000,0,0,\n", ":2", "no pod that wants a GPU"),
                (head + "b,1000,1000,1,1,\n" + "c,1,1,0,0,\n" * 200, ":202", "would have to arrive"),
                (head + "b,1000,1000,1,500," + "|".join(f"m{i}" for i in range(65)), ":2", "more than 64 models"),
                (head + "\0", "", "NUL"),
        ]:
            with self.subTest(text=text[:60]), tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "pods.csv"
                path.write_text(text)
                answer = complaint("replay", "openb", "--nodes", NODES, "--pods", path, code=INPUT)
                self.assertTrue(answer.startswith(f"{path}{place}: "), answer)
                self.assertIn(says, answer)

    def test_nodes_without_a_gpu_and_files_that_are_not_there(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "nodes.csv"
            path.write_text("sn,cpu_milli,memory_mib,gpu,model\na,1000,1000,0,\n")
            self.assertIn("no node with a GPU",
                          complaint("replay", "openb", "--nodes", path, "--pods", PODS, code=INPUT))
            gone = pathlib.Path(folder) / "gone.csv"
            for nodes, pods in ((gone, PODS), (NODES, gone), (folder, PODS)):
                self.assertIn("cannot be", complaint("replay", "openb", "--nodes", nodes, "--pods", pods, code=INPUT))


if __name__ == "__main__":
    unittest.main()
