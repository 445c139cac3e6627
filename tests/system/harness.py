# SPDX-License-Identifier: MIT
"""What the system tests share: the real program on loopback, asked over HTTP."""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVER = os.environ.get("GM_SERVER", str(ROOT / "build" / "gpu-monitor"))
AGENT = os.environ.get("GM_AGENT", str(ROOT / "build" / "gpu-agent"))
NVML_SIM = pathlib.Path(os.environ.get("GM_NVML_SIM", str(ROOT / "build" / "nvml-sim")))
LONG = bool(os.environ.get("GM_LONG"))
CONTEXT = "/k8s-monitor"
DEADLINE_S = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


def wait_for(what, check, deadline_s=DEADLINE_S):
    """Polls an outside program's state; the last exception or value is in the failure."""
    end, last = time.monotonic() + deadline_s, None
    while time.monotonic() < end:
        try:
            last = check()
            if last:
                return last
        except (OSError, AssertionError, KeyError, http.client.HTTPException, ValueError) as problem:
            last = problem
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {deadline_s} s; last: {last!r}")


class Server:
    """gpu-monitor with a folder of its own; `args` are further flags."""

    def __init__(self, *args, profile="development", folder=None, env=None, ready=True, port=None):
        self._tmp = None if folder else tempfile.TemporaryDirectory(prefix="gm-test-")
        self.folder = pathlib.Path(folder or self._tmp.name)
        self.port = port or free_port()
        self.log_path = self.folder / "server.log"
        command = [SERVER, "--set", f"server.port={self.port}", "--set", "server.bind=127.0.0.1",
                   "--set", f"database.url=sqlite:{self.folder}/test.db"]
        if profile:
            command += ["--profile", profile]
        environment = {k: v for k, v in os.environ.items() if k == "PATH" or "SAN_OPTIONS" in k}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + list(args), stdout=subprocess.PIPE, stderr=log, cwd=self.folder,
                                            env={**environment, **(env or {})})
        self.key = None
        if ready:
            wait_for("ready", lambda: self.alive() and self.get("/readyz").status == 200)

    def alive(self):
        if self.process.poll() is not None:
            raise SystemExit(f"gpu-monitor ended with {self.process.returncode}:\n{self.log()}")
        return True

    def log(self):
        return self.log_path.read_text(errors="replace")

    def request(self, method, path, body=None, key=None, headers=None, connection=None):
        c = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            all_headers = dict(headers or {})
            if key or self.key:
                all_headers["Authorization"] = f"Bearer {key or self.key}"
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                all_headers.setdefault("Content-Type", "application/json")
            c.request(method, path, body=body, headers=all_headers)
            response = c.getresponse()
            return Answer(response, response.read())
        finally:
            if not connection:
                c.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def api(self, path, **more):
        answer = self.get(f"{CONTEXT}/api/v1{path}", **more)
        assert answer.status == 200, (path, answer.status, answer.body[:400])
        return answer.json

    def status(self):
        """The kernel's view of the process."""
        return pathlib.Path(f"/proc/{self.process.pid}/status").read_text()

    def printed(self, pattern, deadline_s=DEADLINE_S):
        """Waits for a line on standard output."""
        end, text = time.monotonic() + deadline_s, b""
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                chunk = os.read(self.process.stdout.fileno(), 65536)
                text += chunk
                found = re.search(pattern, text.decode())
                if found or not chunk:
                    return found
        return None

    def stop(self, sig=signal.SIGTERM, deadline_s=DEADLINE_S):
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"did not end within {deadline_s} s after signal {sig}:\n{self.log()[-2000:]}")
        self.process.stdout.close()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AssertionError):
            self.stop()
        if self._tmp:
            self._tmp.cleanup()


def metric(server, series):
    """The value of one line of /metrics, named with its labels."""
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith(series + " "):
            return float(line.rsplit(" ", 1)[1])
    raise KeyError(series)


class Exporter:
    """A page on loopback that the test changes at will: `page` is bytes, or a function of the handler."""

    def __init__(self, page=b"", status=200, port=0):
        outer = self
        outer.page, outer.status, outer.hits, outer.connections = page, status, 0, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                outer.connections += 1
                super().setup()

            def do_GET(self):
                outer.hits += 1
                if callable(outer.page):
                    outer.page(self)
                    return
                self.send_response(outer.status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(outer.page)))
                self.end_headers()
                self.wfile.write(outer.page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def check_schema(document, schema, value, path="$"):
    """Validates against the parts of JSON Schema that the document uses; raises AssertionError with the place."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return check_schema(document, document["components"]["schemas"][name], value, path)
    if "oneOf" in schema:
        for option in schema["oneOf"]:
            try:
                return check_schema(document, option, value, path)
            except AssertionError as problem:
                last = problem
        raise last
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
             "null": type(None)}
    fits = any(isinstance(value, kinds[t]) and (t == "boolean" or not isinstance(value, bool)) for t in types)
    assert fits, f"{path}: {value!r} is not of {types}"
    if "enum" in schema:
        assert value in schema["enum"], f"{path}: {value!r} is not one of {schema['enum']}"
    if schema.get("format") == "date-time" and value is not None:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), f"{path}: {value!r} is no time"
    if isinstance(value, list):
        for i, item in enumerate(value):
            check_schema(document, schema["items"], item, f"{path}[{i}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            assert name in value, f"{path}: {name} is missing"
        further = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in properties:
                check_schema(document, properties[name], item, f"{path}.{name}")
            elif isinstance(further, dict):
                check_schema(document, further, item, f"{path}.{name}")
            else:
                assert further, f"{path}: {name} is not in the schema"
    return True


class Sim:
    """A world of the simulated NVML: a folder of its own, changed through the control program while programs run on it.

    `scenario` is the text of a scenario file. What is not cleared by the test is cleared at the end, so that nobody who
    waits in a call stays.
    """
    library = NVML_SIM / "libnvidia-ml.so.1"

    def __init__(self, scenario="gpus: 4\n", folder=None):
        self._tmp = None if folder else tempfile.TemporaryDirectory(prefix="gm-sim-")
        self.folder = pathlib.Path(folder or self._tmp.name)
        self.state = self.folder / "world"
        self.state.mkdir(exist_ok=True)
        self.scenario = self.folder / "scenario.yml"
        self.scenario.write_text(scenario)
        self.environment = {"NVML_SIM_STATE": str(self.state), "NVML_SIM_SCENARIO": str(self.scenario)}
        self.control = subprocess.Popen([NVML_SIM / "nvml-sim-ctl", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=self.environment, text=True)

    def tell(self, line):
        """A command; its answer. The list of commands: nvml-sim-ctl help."""
        self.control.stdin.write(line + "\n")
        self.control.stdin.flush()
        said = []
        while (answer := self.control.stdout.readline()) and answer != "ok\n":
            assert not answer.startswith("error: "), f"{line}: {answer[7:]}"
            said.append(answer)
        assert answer, f"{line}: the control program ended with {self.control.wait()}"
        return "".join(said)

    def fault(self, line):
        """Answers the fault's number, for `clear`."""
        return int(self.tell("fault " + line))

    def blocked(self, fault):
        """How many calls wait in a fault now."""
        found = re.search(rf"^fault {fault} .*blocked=(\d+)", self.tell("show"), re.M)
        assert found, f"there is no fault {fault}"
        return int(found.group(1))

    def show(self):
        return json.loads(self.tell("show json"))

    def close(self):
        if self.control.poll() is None:
            with contextlib.suppress(AssertionError, OSError):
                self.tell("clear all")
            self.control.stdin.close()
            self.control.wait(DEADLINE_S)
        self.control.stdout.close()
        if self._tmp:
            self._tmp.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


SERIES = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Page:
    """A page of metrics, read once."""

    def __init__(self, text):
        self.text = text
        self.series = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                found = SERIES.match(line)
                assert found, f"not a line of metrics: {line!r}"
                labels = dict(LABEL.findall(found[2] or ""))
                self.series.setdefault(found[1], []).append((labels, float(found[3])))

    def all(self, family, **labels):
        """[(labels, value)] of the lines that have these labels; a label given as None must not be there."""
        return [(have, value) for have, value in self.series.get(family, [])
                if all(have.get(name) == wanted for name, wanted in labels.items())]

    def value(self, family, **labels):
        """Of the one line that has these labels."""
        found = self.all(family, **labels)
        if len(found) != 1:
            raise KeyError(f"{family} {labels}: {len(found)} lines")
        return found[0][1]

    def state(self, family, **labels):
        """The name of the state that is 1."""
        found = [have["state"] for have, value in self.all(family, **labels) if value == 1]
        if len(found) != 1:
            raise KeyError(f"{family} {labels}: {found}")
        return found[0]


def descendants(pid):
    """A process and all below it."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


def running(pid):
    """Is there such a process, and does it still do something?"""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Agent:
    """gpu-agent with a folder of its own, on a world of the simulated NVML.

    `library`: another NVML; False: the one that the loader finds. `program`: another gpu-agent.
    """

    def __init__(self, sim=None, *args, interval="100ms", library=None, env=None, ready=True, port=None, folder=None,
                 program=None):
        self._tmp = None if folder else tempfile.TemporaryDirectory(prefix="gm-agent-")
        self.folder = pathlib.Path(folder or self._tmp.name)
        self.port = port or free_port()
        self.socket_path = self.folder / "agent.sock"
        self.log_path = self.folder / "agent.log"
        self.seen = set()
        command = [program or AGENT, "--listen", f"127.0.0.1:{self.port}", "--interval", interval]
        settings = [f"socket={self.socket_path}", f"state-dir={self.folder}/state", "kubelet.socket=none", "node-name=node-1",
                    f"pause.file={self.folder}/pause"]
        if library is not False:
            settings.append(f"nvml.library={library or Sim.library}")
        for setting in settings:
            command += ["--set", setting]
        environment = {k: v for k, v in os.environ.items() if k == "PATH" or "SAN_OPTIONS" in k}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command + list(args), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**environment, **(sim.environment if sim else {}), **(env or {})})
        if ready:
            try:
                self.wait_for("all boards are read", lambda p: p.all("gpu_agent_device_info") and
                              all(v == 0 for _, v in p.all("gpu_agent_device_state", state="new")))
            except BaseException:
                self.__exit__()
                raise

    def alive(self):
        if self.process.poll() is not None:
            raise SystemExit(f"gpu-agent ended with {self.process.returncode}:\n{self.log()}")
        return True

    def log(self):
        return self.log_path.read_text(errors="replace")

    def request(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        return self._ask(c, method, path, body, headers)

    def by_socket(self, method, path, body=None, headers=None):
        """The same over the unix socket, which may change things."""
        c = http.client.HTTPConnection("localhost", timeout=DEADLINE_S)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.settimeout(DEADLINE_S)
        c.sock.connect(str(self.socket_path))
        return self._ask(c, method, path, body, headers)

    @staticmethod
    def _ask(connection, method, path, body, headers):
        try:
            headers = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def page(self):
        answer = self.get("/metrics")
        assert answer.status == 200, (answer.status, answer.body[:400])
        return Page(answer.body.decode())

    def wait_for(self, what, check, deadline_s=DEADLINE_S):
        """Until `check` of the page is true; answers the page."""
        def look():
            self.alive()
            page = self.page()
            return page if check(page) else None
        try:
            return wait_for(what, look, deadline_s)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log()[-3000:]}") from None

    def processes(self):
        """All its processes now; those that were ever seen are noted."""
        found = descendants(self.process.pid)
        self.seen.update(found)
        return found

    def stop(self, sig=signal.SIGTERM, deadline_s=DEADLINE_S):
        if self.process.poll() is None:
            self.processes()
            self.process.send_signal(sig)
            try:
                self.process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"did not end within {deadline_s} s after signal {sig}:\n{self.log()[-2000:]}")
        return self.process.returncode

    def left(self):
        """Processes that were seen and are still there."""
        return [pid for pid in self.seen if running(pid)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AssertionError):
            self.stop()
        if self._tmp:
            self._tmp.cleanup()
