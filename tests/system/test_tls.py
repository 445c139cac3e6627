# SPDX-License-Identifier: MIT
"""TLS on both sides: the server's certificate and its renewal; targets that want a CA, a client certificate, a token."""
import http.client
import os
import pathlib
import signal
import ssl
import subprocess
import tempfile
import unittest

from harness import CONTEXT, Exporter, Server, metric, wait_for
from test_pages import UUID, dcgm


class Authority:
    """A CA of the test's own in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "ca.pem"
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                 "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem")

    def run(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, common_name, days=2):
        """NAME.pem and NAME.key, for localhost and 127.0.0.1; put in place by renaming."""
        (self.folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="ascii")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={common_name}",
                 "-keyout", "new.key", "-out", "new.csr")
        self.run("x509", "-req", "-in", "new.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days),
                 "-extfile", "ext", "-out", "new.pem")
        for kind in ("key", "pem"):
            os.rename(self.folder / f"new.{kind}", self.folder / f"{name}.{kind}")
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")


class ServerSide(unittest.TestCase):
    def test_certificate_and_its_renewal(self):
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(folder)
            cert, key = authority.issue("server", "first")
            context = ssl.create_default_context(cafile=str(authority.file))

            def ask(path=f"{CONTEXT}/api/v1/gpu/overview"):
                c = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)
                try:
                    c.request("GET", path)
                    answer = c.getresponse()
                    subject = dict(x[0] for x in c.sock.getpeercert()["subject"])["commonName"]
                    return answer.status, subject, answer.read().decode()
                finally:
                    c.close()

            with Server("--set", f"server.tls.cert-file={cert}", "--set", f"server.tls.key-file={key}", ready=False) as server:
                wait_for("the server", lambda: server.alive() and ask("/readyz")[0] == 200)
                self.assertEqual(ask()[:2], (200, "first"))
                self.assertIn("https://127.0.0.1", server.log())
                with self.assertRaises((http.client.HTTPException, OSError)):
                    server.get("/healthz")  # plain HTTP is not answered there
                old = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_1", "-cipher",
                                      "ALL:@SECLEVEL=0"], input=b"", capture_output=True, check=False)
                self.assertNotEqual(old.returncode, 0, "TLS 1.1 is not spoken")
                authority.issue("server", "second", days=3)
                server.process.send_signal(signal.SIGHUP)
                wait_for("the new certificate", lambda: ask()[1] == "second")
                # Found without being told, too.
                authority.issue("server", "third")
                wait_for("the third", lambda: ask()[1] == "third")
                pathlib.Path(cert).write_text("no certificate\n", encoding="ascii")
                server.process.send_signal(signal.SIGHUP)
                wait_for("the refusal", lambda: "certificate refused, the old one stays in use" in server.log())
                status, subject, text = ask("/metrics")
                self.assertEqual((status, subject), (200, "third"))
                self.assertRegex(text, r"gpu_monitor_tls_certificate_expiry_seconds \d{10}")
                self.assertRegex(text, r"gpu_monitor_tls_reload_failures_total [1-9]")
                self.assertEqual(server.stop(), 0)

    def test_a_pair_that_does_not_belong_together_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(folder)
            cert, _ = authority.issue("a", "a")
            _, key = authority.issue("b", "b")
            with Server("--set", f"server.tls.cert-file={cert}", "--set", f"server.tls.key-file={key}", ready=False) as server:
                self.assertEqual(server.process.wait(10), 1)
                self.assertIn("do not belong together", server.log())


class TlsExporter(Exporter):
    def __init__(self, page, cert, client_ca=None, token=None):
        super().__init__(page)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*cert)
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.port}/metrics"
        self.server.handle_error = lambda *_: None  # refused handshakes are what is wanted here
        if token:
            good = self.page

            def guarded(handler):
                right = handler.headers.get("Authorization") == f"Bearer {token[0]}"
                handler.send_response(200 if right else 401)
                handler.send_header("Content-Length", str(len(good) if right else 0))
                handler.end_headers()
                handler.wfile.write(good if right else b"")

            self.page = guarded


class TargetSide(unittest.TestCase):
    def test_ca_client_certificate_and_token(self):
        with tempfile.TemporaryDirectory() as folder:
            authority, token = Authority(folder), ["first-token"]
            cert, client = authority.issue("exporter", "exporter"), authority.issue("client", "gpu-monitor")
            ca, token_file = str(authority.file), pathlib.Path(folder, "token")
            token_file.write_text(token[0] + "\n", encoding="ascii")

            def page(node):
                return dcgm(10, node=f"node-{node}", uuid=UUID[:-1] + str(node))

            with TlsExporter(page(1), cert) as plain, TlsExporter(page(2), cert, client_ca=ca) as mutual, \
                    TlsExporter(page(3), cert, token=token) as guarded:
                targets = pathlib.Path(folder, "targets.yml")
                targets.write_text(f"""
- {{url: '{plain.url}?by=ca', ca-file: {ca}}}
- {{url: '{plain.url}?by=system'}}
- {{url: '{mutual.url}?by=certificate', ca-file: {ca}, client-cert-file: {client[0]}, client-key-file: {client[1]}}}
- {{url: '{mutual.url}?by=nothing', ca-file: {ca}}}
- {{url: '{guarded.url}?by=token', ca-file: {ca}, bearer-token-file: {token_file}}}
- {{url: '{guarded.url}?by=nothing', ca-file: {ca}}}
- {{url: '{guarded.url}?by=missing', ca-file: {ca}, bearer-token-file: {folder}/nothing}}
""", encoding="ascii")
                with Server("--set", f"scrape.targets-file={targets}", "--set",
                            "gpu.management.metrics.collection-interval=1s") as server:
                    def states():
                        return {t["url"].split("//localhost:")[1].split("/")[0] + t["url"].split("?by")[1]: t
                                for t in server.api("/scrape/targets")["items"]}

                    wait_for("all asked", lambda: all(t["state"] != "pending" for t in states().values()))
                    for name, good, why in ((f"{plain.port}=ca", True, None), (f"{plain.port}=system", False, "certificate"),
                                            (f"{mutual.port}=certificate", True, None), (f"{mutual.port}=nothing", False, "TLS|certificate"),
                                            (f"{guarded.port}=token", True, None), (f"{guarded.port}=nothing", False, "401"),
                                            (f"{guarded.port}=missing", False, "nothing")):
                        target = states()[name]
                        self.assertEqual(target["state"], "up" if good else "down", (name, target))
                        if why:
                            self.assertRegex(target["error"], why)
                        self.assertNotIn(token[0], str(target))
                    wait_for("three boards", lambda: server.api("/gpu/overview")["totalGpuDevices"] == 3)
                    # A token that is renewed on both sides goes on working.
                    token[0] = "second-token"
                    wait_for("the old one is refused", lambda: "401" in (states()[f"{guarded.port}=token"]["error"] or ""))
                    token_file.write_text(token[0], encoding="ascii")
                    wait_for("the new one is taken", lambda: states()[f"{guarded.port}=token"]["state"] == "up")

    def test_unchecked_certificates_are_warned_of(self):
        with tempfile.TemporaryDirectory() as folder:
            cert = Authority(folder).issue("exporter", "exporter")
            with TlsExporter(dcgm(10), cert) as exporter:
                with Server("--set", f"scrape.targets=[{exporter.url}]", "--set", "scrape.insecure-skip-verify=true", "--set",
                            "gpu.management.metrics.collection-interval=1s") as server:
                    wait_for("a device", lambda: server.api("/gpu/devices")["items"])
                    self.assertIn("certificates of targets are not checked", server.log())
                    self.assertEqual(metric(server, "gpu_monitor_scrape_failures_total"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
