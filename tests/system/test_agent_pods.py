# SPDX-License-Identifier: MIT
"""Who uses a board or a slice: a kubelet's PodResources (a real gRPC server) and /proc, joined by the agent, shown by the server."""
import contextlib
import shutil
import unittest

from harness import Agent, Server, Sim, wait_for
from kubelet import Kubelet, claim, container, devices, pod

NODE = """
gpus: 3
models: H100_SXM5_80GB
seed: 5
mig:
  - {gpu: 1, layout: "3g.40gb@4, 1g.10gb*3"}
"""
POD_UID = "0f3c9a52-7a1b-4c57-9d33-2b1c8e0a4d11"
CONTAINER_ID = "4f1d0c6e5b8a7f2e3d4c5b6a79880716253443526170f9e8d7c6b5a493827160"


def holders(page):
    """{(uuid, gi, namespace, pod, container)}"""
    return {(labels["uuid"], labels.get("gi"), labels["namespace"], labels["pod"], labels["container"])
            for labels, value in page.all("gpu_agent_pod_info") if value == 1}


def node_of(sim, kubelet, *more):
    return Agent(sim, "--set", f"kubelet.socket={kubelet.socket}", "--set", "kubelet.interval=1s", *more)


class Pods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.kubelet = cls.stack.enter_context(Kubelet())
        cls.sim = cls.stack.enter_context(Sim(NODE))
        cls.agent = cls.stack.enter_context(node_of(cls.sim, cls.kubelet))
        cls.boards = cls.sim.show()["gpus"]
        cls.uuids = [b["uuid"] for b in cls.boards]
        cls.slices = {gi["start"]: gi for gi in cls.boards[1]["instances"]}

    def shows(self, expected):
        page = self.agent.wait_for("the pods", lambda p: holders(p) == expected and p.value("gpu_agent_kubelet_up") == 1)
        self.assertEqual(len(page.all("gpu_agent_pod_info")), len(expected), "nobody twice")
        return page

    def test_every_form_of_device_id(self):
        one, two, three, big = (self.slices[start] for start in (0, 1, 2, 4))
        mig_uuid = one["computeInstances"][0]["uuid"]
        self.kubelet.set(
            pod("ml", "trainer-0", container("main", devices("nvidia.com/gpu", self.uuids[0])), container("side")),
            # shared by time: three replicas in two pods
            pod("dev", "web", container("a", devices("nvidia.com/gpu.shared", self.uuids[2] + "::0", self.uuids[2] + "::1"))),
            pod("dev", "batch", container("b", devices("nvidia.com/gpu.shared", self.uuids[2] + "::2"))),
            pod("serve", "llm", container("c", devices("nvidia.com/mig-1g.10gb", mig_uuid, numa=0))),
            pod("serve", "gke", container("d", devices("nvidia.com/gpu", f"nvidia1/gi{two['id']}"))),
            pod("serve", "dra", container("e", claim("slice", ("gpu.nvidia.com", "node-1", "gpu-1-mig-1g10gb-19-2", [])))),
            pod("serve", "dra-3g", container("f", claim("slice", ("gpu.nvidia.com", "node-1", "gpu-1-mig-3g40gb-9-4", [])))),
            # of no board of this node, and no GPU
            pod("ml", "gone", container("x", devices("nvidia.com/gpu", "GPU-00000000-0000-0000-0000-000000000000"))),
            pod("net", "nic", container("x", devices("vendor.example/nic", self.uuids[0]))))
        self.shows({(self.uuids[0], None, "ml", "trainer-0", "main"),
                    (self.uuids[2], None, "dev", "web", "a"), (self.uuids[2], None, "dev", "batch", "b"),
                    (self.uuids[1], str(one["id"]), "serve", "llm", "c"), (self.uuids[1], str(two["id"]), "serve", "gke", "d"),
                    (self.uuids[1], str(three["id"]), "serve", "dra", "e"), (self.uuids[1], str(big["id"]), "serve", "dra-3g", "f")})
        inventory = {b["uuid"]: b for b in self.agent.get("/v1/inventory").json["boards"]}
        whole = inventory[self.uuids[0]]["holders"]
        self.assertEqual([(h["kind"], h["namespace"], h["pod"], h["container"], h["resource"]) for h in whole],
                         [("pod", "ml", "trainer-0", "main", "nvidia.com/gpu")])
        by_start = {i["placement"]: i for i in inventory[self.uuids[1]]["mig"]["instances"]}
        self.assertEqual([(h["pod"], h["resource"], h["claim"]) for h in by_start[2]["holders"]],
                         [("dra", "gpu.nvidia.com", "ml/slice")])
        self.assertEqual([h["pod"] for h in by_start[0]["holders"]], ["llm"])
        mig = self.agent.get("/v1/mig")
        self.assertEqual(mig.status, 200)
        self.assertIn('"llm"', mig.body.decode(), "who wants to change a layout sees who uses it")

    def test_pods_come_and_go(self):
        first = pod("ml", "one", container("main", devices("nvidia.com/gpu", self.uuids[0])))
        second = pod("ml", "two", container("main", devices("nvidia.com/gpu", self.uuids[0])))
        for pods, names in (((first,), {"one"}), ((first, second), {"one", "two"}), ((second,), {"two"}), ((), set())):
            self.kubelet.set(*pods)
            self.shows({(self.uuids[0], None, "ml", name, "main") for name in names})

    def test_a_kubelet_that_is_gone_is_said_and_found_again(self):
        pods = [pod("ml", "one", container("main", devices("nvidia.com/gpu", self.uuids[0])))]
        expected = {(self.uuids[0], None, "ml", "one", "main")}
        self.kubelet.set(*pods)
        self.shows(expected)
        for what, ends, says in (("refuses", lambda: self.kubelet.behave(status="RESOURCE_EXHAUSTED", message="rate limit"), "rate limit"),
                                 ("died", lambda: self.kubelet.stop(kill=True), "nobody listens")):
            with self.subTest(what):
                ends()
                page = self.agent.wait_for("it is said", lambda p: p.value("gpu_agent_kubelet_up") == 0)
                self.assertEqual(holders(page), expected, "what was known last is the best there is")
                self.assertIn(says, self.agent.get("/v1/inventory").json["kubelet"]["error"])
                self.assertEqual(self.agent.get("/healthz").status, 200, "the boards are read all the same")
                self.kubelet.behave()
                if self.kubelet.process.returncode is not None:
                    self.kubelet.start()
                self.shows(expected)
                self.assertIsNone(self.agent.get("/v1/inventory").json["kubelet"]["error"])


class Processes(unittest.TestCase):
    def test_a_pod_that_the_kubelet_does_not_know_is_found_by_its_process(self):
        """A privileged pod has no device of the plugin: its process's control group tells, and the kubelet's folder of logs."""
        with Sim(NODE + "processes:\n  - {pid: 1, gpu: 2, memory: 3GiB, load: 40, name: server}\n") as sim, Kubelet() as kubelet:
            host = sim.folder / "host"
            process = host / "proc" / "1"
            process.mkdir(parents=True)
            (process / "comm").write_text("tritonserver\n")
            (process / "status").write_text("Name:\ttritonserver\nUid:\t1000\t1000\t1000\t1000\n")
            (process / "cgroup").write_text("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
                                            f"{POD_UID.replace('-', '_')}.slice/cri-containerd-{CONTAINER_ID}.scope\n")
            (host / "var/log/pods" / f"serving_privileged-0_{POD_UID}").mkdir(parents=True)
            (host / "etc").mkdir()
            (host / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nana:x:1000:1000::/:/bin/sh\n")
            with node_of(sim, kubelet, "--set", f"host-root={host}") as agent:
                uuid = sim.show()["gpus"][2]["uuid"]
                page = agent.wait_for("the pod", lambda p: p.all("gpu_agent_pod_info"))
                labels = page.all("gpu_agent_pod_info")[0][0]
                self.assertEqual((labels["uuid"], labels["namespace"], labels["pod"], labels["pod_uid"]),
                                 (uuid, "serving", "privileged-0", POD_UID))
                row = page.all("gpu_agent_process_memory_bytes", uuid=uuid)[0]
                self.assertEqual((row[0]["pid"], row[0]["process"], row[0]["user"], row[1]), ("1", "tritonserver", "ana", 3 << 30))
                # Told of by the kubelet too, it is one holder with a container and a uid.
                kubelet.set(pod("serving", "privileged-0", container("main", devices("nvidia.com/gpu", uuid))))
                page = agent.wait_for("the container", lambda p: p.all("gpu_agent_pod_info", container="main"))
                self.assertEqual([(h["pod"], h["container"], h["pod_uid"]) for h, _ in page.all("gpu_agent_pod_info")],
                                 [("privileged-0", "main", POD_UID)])
                shutil.rmtree(process)


class UnderTheServer(unittest.TestCase):
    def test_slices_and_their_pods_on_gpu_monitor(self):
        with Kubelet() as kubelet, Sim(NODE) as sim, node_of(sim, kubelet) as agent:
            boards = sim.show()["gpus"]
            slices = {gi["start"]: gi["computeInstances"][0]["uuid"] for gi in boards[1]["instances"]}
            kubelet.set(pod("ml", "trainer-0", container("main", devices("nvidia.com/gpu", boards[0]["uuid"]))),
                        pod("serve", "llm", container("vllm", devices("nvidia.com/mig-3g.40gb", slices[4]))),
                        pod("serve", "small", container("c", claim("s", ("gpu.nvidia.com", "n", "gpu-1-mig-1g10gb-19-1", [])))))
            with Server("--set", f"scrape.targets=[http://127.0.0.1:{agent.port}/metrics]", "--set",
                        "gpu.management.metrics.collection-interval=1s") as server:
                def instances():
                    return {i["uuid"]: i for i in server.api("/gpu/mig-instances?limit=100")["items"]}

                def named(thing):
                    return [(p["namespace"], p["pod"], p["container"]) for p in thing["pods"]]

                wait_for("the pod of a slice", lambda: named(instances()[slices[4]]) == [("serve", "llm", "vllm")])
                self.assertEqual({u: named(i) for u, i in instances().items()},
                                 {slices[0]: [], slices[1]: [("serve", "small", "c")], slices[2]: [],
                                  slices[4]: [("serve", "llm", "vllm")]})
                devices_now = {d["uuid"]: d for d in server.api("/gpu/devices?limit=100")["items"]}
                self.assertEqual(named(devices_now[boards[0]["uuid"]]), [("ml", "trainer-0", "main")])
                self.assertEqual(named(devices_now[boards[2]["uuid"]]), [])
                # The pod ends: its slice is free on the next scrape.
                kubelet.set()
                wait_for("nobody", lambda: not any(named(i) for i in instances().values()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
