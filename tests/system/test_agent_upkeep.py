# SPDX-License-Identifier: MIT
"""What an agent that runs for months must not do: grow, fill the log, say things before they are so."""
import os
import pathlib
import signal
import tempfile
import time
import unittest

from harness import Agent, Sim, wait_for


def resident_kib(agent):
    status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


class Upkeep(unittest.TestCase):
    @unittest.skipIf(any("SAN_OPTIONS" in name for name in os.environ), "a sanitizer keeps what was freed")
    def test_reading_the_settings_again_costs_no_memory(self):
        def read_again(agent, times):
            for _ in range(times):
                said = agent.log().count("settings read again")
                os.kill(agent.process.pid, signal.SIGHUP)
                wait_for("they are read", lambda: agent.log().count("settings read again") > said)

        with Sim("gpus: 1\n") as sim, Agent(sim) as agent:
            read_again(agent, 30)
            before = resident_kib(agent)
            read_again(agent, 100)
            self.assertLess(resident_kib(agent) - before, 150, "KiB more after 100 times")

    def test_a_token_file_that_is_gone_is_said_once(self):
        with tempfile.TemporaryDirectory(prefix="gm-token-") as folder, Sim("gpus: 1\n") as sim:
            token = pathlib.Path(folder) / "token"
            token.write_text("sesame\n")
            with Agent(sim, "--set", f"token-file={token}", ready=False) as agent:
                wait_for("it is ready", lambda: "msg=ready" in agent.log())
                token.unlink()
                wait_for("it is missed", lambda: "token file refused" in agent.log())
                until = time.monotonic() + 6  # it looks every 5 s
                wait_for("another look", lambda: time.monotonic() > until)
                self.assertEqual(agent.log().count("token file refused"), 1)
                self.assertEqual(agent.get("/metrics").status, 401)
                token.write_text("another\n")
                wait_for("it is read again", lambda: "token file can be read again" in agent.log())
                self.assertEqual(agent.get("/metrics", headers={"Authorization": "Bearer another"}).status, 200)

    def test_a_start_that_waits_says_for_what_and_where_it_listens(self):
        with Sim("gpus: 2\n") as sim:
            sim.tell("fault nvmlDeviceGetMemoryInfo_v2 gpu=1 block")
            with Agent(sim, "--set", "hung-after=20s", ready=False) as agent:
                wait_for("it is said", lambda: "msg=\"not ready yet\"" in agent.log(), 10)
                self.assertNotIn("msg=ready", agent.log())
                waits = [line for line in agent.log().splitlines() if "not ready yet" in line]
                self.assertEqual(len(waits), 1)
                self.assertIn("waits-for=\"the first reading of every GPU\"", waits[0])
                places = [line for line in agent.log().splitlines() if "msg=listening" in line]
                self.assertEqual(len(places), 2)
                self.assertEqual([("port=" in line, "on=unix:" in line) for line in places], [(True, False), (False, True)])
                sim.tell("clear all")
                wait_for("it is ready", lambda: "msg=ready" in agent.log())

    def test_paused_is_said_when_nobody_has_the_driver_open(self):
        with Sim("gpus: 2\n") as sim, Agent(sim) as agent:
            sim.tell("fault nvmlDeviceGetMemoryInfo_v2 gpu=1 block")
            agent.wait_for("it hangs", lambda p: any(v == 1 for _, v in p.all("gpu_agent_driver_hung")))
            self.assertEqual(agent.by_socket("POST", "/v1/pause", {"duration": "10m"}).json["state"], "pausing")
            agent.wait_for("it wants to be paused", lambda p: p.state("gpu_agent_state") == "paused")
            self.assertEqual(agent.get("/healthz").json["status"], "pausing")
            self.assertIn("client ", sim.tell("show"))
            sim.tell("clear all")
            wait_for("it is paused", lambda: agent.get("/healthz").json["status"] == "paused")
            self.assertNotIn("client ", sim.tell("show"))


if __name__ == "__main__":
    unittest.main()
