# SPDX-License-Identifier: MIT
"""scripts/demo --agents: real agents on simulated drivers under the server, all gone after Ctrl-C."""
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

from harness import CONTEXT, DEADLINE_S, ROOT, descendants, free_port, running, wait_for


class Demo(unittest.TestCase):
    def ask(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            c.request("GET", f"{CONTEXT}/api/v1{path}")
            return json.loads(c.getresponse().read())
        finally:
            c.close()

    def test_nodes_of_real_agents(self):
        folder = tempfile.TemporaryDirectory(prefix="gm-demo-")
        self.addCleanup(folder.cleanup)
        self.port = free_port()
        demo = subprocess.Popen([ROOT / "scripts" / "demo", "--agents", "3", "--port", str(self.port)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                                env={**os.environ, "TERM": "dumb", "GM_DEMO_DATA": folder.name}, start_new_session=True)
        seen = []
        try:
            nodes = wait_for("three nodes", lambda: (n := self.ask("/gpu/nodes")["items"]) and len(n) == 3 and n, 600)
            self.assertEqual(sorted(n["name"] for n in nodes), ["node-1", "node-2", "node-3"])
            devices = wait_for("all boards", lambda: (d := self.ask("/gpu/devices?limit=100")["items"]) and len(d) == 18 and d)
            self.assertEqual(len({d["uuid"] for d in devices}), 18, "no board twice")
            wait_for("slices", lambda: len(self.ask("/gpu/mig-instances?limit=100")["items"]) >= 12)
            seen = descendants(demo.pid)
            self.assertGreaterEqual(len(seen), 1 + 1 + 3 * 3, "the script, the server, three agents of three processes")
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            said = demo.communicate(timeout=60)[0]
        self.assertRegex(said, rf"dashboard +http://127\.0\.0\.1:{self.port}/k8s-monitor")
        for port in re.findall(r"node-\d +http://127\.0\.0\.1:(\d+)/metrics", said):
            self.assertRaises(OSError, http.client.HTTPConnection("127.0.0.1", int(port), timeout=2).connect)
        self.assertEqual(len(re.findall(r"node-\d +http://127", said)), 3, said)
        wait_for("nothing is left", lambda: not [p for p in seen if running(p)], 15)


if __name__ == "__main__":
    unittest.main()
