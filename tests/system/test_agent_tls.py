# SPDX-License-Identifier: MIT
"""Who may read the agent and who may change the node: certificates of our authority and of others, tokens, the unix socket."""
import contextlib
import http.client
import os
import pathlib
import signal
import socket
import ssl
import tempfile
import unittest

from harness import Agent, Answer, Sim, wait_for
from test_tls import Authority

CHANGE = ("POST", "/v1/resume")  # changes nothing while nothing is paused


class Fixture(unittest.TestCase):
    """An agent with TLS; two authorities, each in a folder of its own."""
    token = None

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        folder = pathlib.Path(cls.stack.enter_context(tempfile.TemporaryDirectory(prefix="gm-mtls-")))
        for name in ("ours", "others"):
            (folder / name).mkdir()
        cls.ours, cls.others = Authority(folder / "ours"), Authority(folder / "others")
        cls.server_cert = cls.ours.issue("server", "gpu-agent")
        cls.certificates = {"none": None, "right": cls.ours.issue("right", "gpu-monitor"), "foreign": cls.others.issue("foreign", "gpu-monitor"),
                            "expired": cls.ours.issue("expired", "gpu-monitor", days=-1)}
        cls.client_ca = folder / "clients.pem"
        cls.replace(cls.client_ca, cls.ours.file.read_bytes())
        more = []
        if cls.token:
            cls.token_file = folder / "token"
            cls.replace(cls.token_file, cls.token.encode() + b"\n")
            more = ["--set", f"token-file={cls.token_file}"]
        cls.sim = cls.stack.enter_context(Sim("gpus: 2\n"))
        cls.agent = cls.stack.enter_context(Agent(
            cls.sim, "--set", f"tls.cert-file={cls.server_cert[0]}", "--set", f"tls.key-file={cls.server_cert[1]}",
            "--set", f"tls.client-ca-file={cls.client_ca}", *more, ready=False))
        wait_for("the agent", lambda: cls.agent.alive() and cls.ask("none", "GET", "/readyz").status == 200)

    @staticmethod
    def replace(path, data):
        pathlib.Path(f"{path}.new").write_bytes(data)
        os.rename(f"{path}.new", path)

    @classmethod
    def connection(cls, who):
        context = ssl.create_default_context(cafile=str(cls.ours.file))
        if cls.certificates[who]:
            context.load_cert_chain(*cls.certificates[who])
        return http.client.HTTPSConnection("127.0.0.1", cls.agent.port, timeout=10, context=context)

    @classmethod
    def ask(cls, who, method, path, token=None, connection=None):
        c = connection or cls.connection(who)
        try:
            c.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = c.getresponse()
            return Answer(response, response.read())
        finally:
            if not connection:
                c.close()

    def refused(self, answer, status, *says):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        for text in says:
            self.assertIn(text, answer.json["detail"])


class OpenReading(Fixture):
    def test_everybody_reads_and_who_may_not_change_learns_why(self):
        for who, status, says in (("none", 403, ["tls.client-ca-file"]),
                                  ("foreign", 403, ["the client certificate is refused: no authority known here issued it"]),
                                  ("expired", 403, ["the client certificate is refused: it has expired"]),
                                  ("right", 200, None)):
            with self.subTest(who):
                page = self.ask(who, "GET", "/metrics")
                self.assertEqual(page.status, 200)
                self.assertIn(b"gpu_agent_device_info", page.body)
                answer = self.ask(who, *CHANGE)
                if status == 200:
                    self.assertEqual(answer.status, 200, answer.body)
                else:
                    self.refused(answer, status, *says)
                    if who == "none":
                        self.assertNotIn("certificate is refused", answer.json["detail"])

    def test_the_unix_socket_needs_no_certificate(self):
        self.assertEqual(self.agent.by_socket(*CHANGE).status, 200)
        self.assertEqual(self.agent.by_socket("GET", "/v1/mig").status, 200)
        self.assertEqual(self.agent.socket_path.stat().st_mode & 0o7777, 0o660)

    def test_each_process_has_given_up_what_it_does_not_need(self):
        self.assertNotIn("without a sandbox", self.agent.log())
        for pid in self.agent.processes():
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), status["Name"])
            if pid == self.agent.process.pid:
                self.assertEqual(int(status["CapEff"], 16) & 1 << 21, 0, "CAP_SYS_ADMIN")

    def test_plain_http_is_not_answered(self):
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.agent.get("/metrics")

    def test_a_new_authority_is_taken_over_and_a_bad_file_is_not(self):
        kept = self.connection("right")
        self.addCleanup(kept.close)
        self.assertEqual(self.ask("right", *CHANGE, connection=kept).status, 200)
        try:
            self.replace(self.client_ca, self.others.file.read_bytes())
            self.agent.process.send_signal(signal.SIGHUP)
            wait_for("the other authority", lambda: self.ask("foreign", *CHANGE).status == 200)
            self.refused(self.ask("right", *CHANGE), 403, "no authority known here issued it")
            # Whoever was let in before is judged anew, too.
            self.refused(self.ask("right", *CHANGE, connection=kept), 403, "no authority known here issued it")
            self.replace(self.client_ca, b"rubbish\n")
            self.agent.process.send_signal(signal.SIGHUP)
            wait_for("the refusal", lambda: "clients.pem" in self.agent.log())
            self.assertEqual(self.ask("foreign", *CHANGE).status, 200)
        finally:
            self.replace(self.client_ca, self.ours.file.read_bytes())
            self.agent.process.send_signal(signal.SIGHUP)
            wait_for("our authority", lambda: self.ask("right", *CHANGE).status == 200)

    def test_a_renewed_server_certificate_is_served(self):
        self.ours.issue("server", "renewed")
        self.agent.process.send_signal(signal.SIGHUP)

        def name():
            c = self.connection("none")
            try:
                c.connect()
                return dict(x[0] for x in c.sock.getpeercert()["subject"])["commonName"]
            finally:
                c.close()

        wait_for("the new certificate", lambda: name() == "renewed")

    def test_it_survives_clients_that_break_off(self):
        for sent in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", os.urandom(400)):
            with socket.create_connection(("127.0.0.1", self.agent.port), 5) as s:
                s.sendall(sent)
        self.assertEqual(self.ask("none", "GET", "/metrics").status, 200)


class TokenReading(Fixture):
    token = "first-token-of-the-agent"

    def test_a_token_reads_and_a_certificate_does_both(self):
        for who, token, read, change in (
                ("none", None, 401, 401), ("none", "wrong", 401, 401), ("none", self.token, 200, 403),
                ("foreign", None, 401, 401), ("foreign", self.token, 200, 403),
                ("expired", None, 401, 401), ("expired", self.token, 200, 403),
                ("right", None, 200, 200), ("right", "wrong", 200, 200)):
            with self.subTest(who=who, token=token):
                answers = self.ask(who, "GET", "/metrics", token), self.ask(who, *CHANGE, token)
                self.assertEqual([a.status for a in answers], [read, change], answers[1].body)
                if who in ("foreign", "expired"):
                    why = "it has expired" if who == "expired" else "no authority known here issued it"
                    self.assertIn(why, answers[1].json["detail"])
                    if read == 401:
                        self.assertIn(why, answers[0].json["detail"])
        self.assertEqual(self.ask("none", "GET", "/healthz").status, 200, "probes need nothing")
        self.assertEqual(self.agent.by_socket("GET", "/metrics").status, 200)
        self.assertNotIn(self.token, self.agent.log())

    def test_a_renewed_token_replaces_the_old_one(self):
        try:
            self.replace(self.token_file, b"second-token\n")
            self.agent.process.send_signal(signal.SIGHUP)
            wait_for("the second", lambda: self.ask("none", "GET", "/metrics", "second-token").status == 200)
            self.assertEqual(self.ask("none", "GET", "/metrics", self.token).status, 401)
            # An empty file is a mistake, not an invitation.
            self.replace(self.token_file, b"\n")
            self.agent.process.send_signal(signal.SIGHUP)
            wait_for("the refusal", lambda: "the old token stays in force" in self.agent.log())
            self.assertEqual(self.ask("none", "GET", "/metrics").status, 401)
            self.assertEqual(self.ask("none", "GET", "/metrics", "second-token").status, 200)
        finally:
            self.replace(self.token_file, self.token.encode())
            self.agent.process.send_signal(signal.SIGHUP)
            wait_for("the first", lambda: self.ask("none", "GET", "/metrics", self.token).status == 200)


class Starts(unittest.TestCase):
    def test_what_cannot_be_served_is_said(self):
        with tempfile.TemporaryDirectory() as folder, Sim("gpus: 1\n") as sim:
            ours = Authority(folder)
            cert, key = ours.issue("server", "gpu-agent")
            cert_set, key_set = ["--set", f"tls.cert-file={cert}"], ["--set", f"tls.key-file={key}"]
            for more, says in ((["--set", f"tls.client-ca-file={folder}/none.pem"], "none.pem"),
                               (["--set", f"tls.client-ca-file={key}"], "no certificate of an authority")):
                agent = Agent(sim, *cert_set, *key_set, *more, ready=False)
                with agent:
                    self.assertNotEqual(agent.process.wait(20), 0)
                    self.assertIn(says, agent.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
