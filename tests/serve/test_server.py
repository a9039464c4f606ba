"""`qingyu serve` as a person starts it: a process of its own, with the default model."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.model

CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


class Process:
    """A server in a process; `lines` is what it says on stderr."""

    def __init__(self, *flags: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qingyu", "serve", *flags],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **variables},
        )
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if "ealed" in line:
                self._ready.set()
        self._ready.set()

    def ready(self) -> str:
        """Its address, once it answers."""
        assert self._ready.wait(60)
        found = re.search(r"is ready at (\S+)", "\n".join(self.lines))
        assert found, self.lines
        return found[1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextlib.contextmanager
def process(*flags: str, **variables: str) -> Iterator[Process]:
    one = Process(*flags, **variables)
    try:
        yield one
    finally:
        one.stop(signal.SIGKILL)


def ask(url: str, **options: Any) -> str:
    answer = httpx.post(url + "/v1/chat/completions", json=CHAT, timeout=60, **options)
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def digests(path: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in path.parent.iterdir()}


def test_it_starts_sealed_answers_and_stops(default_model_path: Path) -> None:
    with process("--model", str(default_model_path), "--port", "0", "--require-seal") as server:
        url = server.ready()
        assert any(line.startswith("sealed: nothing can leave") for line in server.lines)
        health = httpx.get(url + "/health")
        assert health.json() == {"status": "ok", "model": default_model_path.stem, "sealed": True}
        assert health.headers["qingyu-seal"].startswith("on; seccomp")
        assert ask(url)
        state = httpx.get(url + "/seal").json()
        assert state["sealed"] is True
        assert {layer["name"] for layer in state["layers"]} == {"seccomp", "namespace", "landlock"}
        # Lines of /proc say it too: mode 2 is a filter.
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert re.search(r"Seccomp:\s+2", status)
        for task in Path(f"/proc/{server.process.pid}/task").iterdir():
            assert re.search(r"Seccomp:\s+2", (task / "status").read_text())
        assert server.stop(signal.SIGINT) == 0


def test_the_probe_table_arrives(default_model_path: Path) -> None:
    with process("--model", str(default_model_path), "--port", "0") as server:
        url = server.ready()
        for _ in range(200):
            probes = httpx.get(url + "/seal").json()["probes"]
            if probes is not None:
                break
            threading.Event().wait(0.1)
        assert probes["holds"] is True


def test_a_unix_socket_is_ours_alone_and_goes_away(
    default_model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    # What a killed server leaves behind is no obstacle.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with process("--model", str(default_model_path), "--unix", str(path)) as server:
        server.ready()
        assert path.stat().st_mode & 0o777 == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            answer = client.post("http://localhost/v1/chat/completions", json=CHAT, timeout=60)
            assert answer.status_code == 200
            assert client.get("http://evil.example/v1/models").status_code == 403
        other = Process("--model", str(default_model_path), "--unix", str(path))
        assert other.process.wait(30) == 1
        other.stop()
        assert "another server listens" in "\n".join(other.lines)
        assert server.stop() == 0
    assert not path.exists()


def test_a_taken_port_is_said_with_the_fix(default_model_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = Process("--model", str(default_model_path), "--port", port)
        assert server.process.wait(30) == 1
        server.stop()
    assert f"port {port} is taken" in "\n".join(server.lines)
    assert "--port" in "\n".join(server.lines)


@pytest.mark.parametrize(
    ("flags", "variables", "message"),
    [
        (["--host", "0.0.0.0"], {}, "--expose"),
        (["--host", "0.0.0.0", "--expose"], {}, "needs a token"),
        (["--token-file", "/nowhere"], {}, "cannot read the token"),
        (["--model", "/nowhere.gguf"], {}, "/nowhere.gguf"),
        (["--kv-memory", "1M"], {}, "bytes"),
        (["--kv-memory", "0"], {}, "0 bytes"),
        ([], {"QINGYU_TOKEN": "short"}, "at least 16"),
    ],
)
def test_what_cannot_be_is_an_error_before_anything_starts(
    default_model_path: Path, flags: list[str], variables: dict[str, str], message: str
) -> None:
    model = [] if "--model" in flags else ["--model", str(default_model_path)]
    server = Process("--port", "0", *model, *flags, **variables)
    assert server.process.wait(30) == 1
    server.stop()
    assert message in "\n".join(server.lines)
    assert "Traceback" not in "\n".join(server.lines)


def test_a_draft_model_changes_nothing(default_model_path: Path) -> None:
    flags = ["--model", str(default_model_path), "--port", "0"]
    texts = []
    for more in ([], ["--draft", str(default_model_path)], ["--no-speculation"]):
        with process(*flags, *more) as server:
            answer = httpx.post(
                server.ready() + "/v1/chat/completions",
                json={**CHAT, "max_tokens": 60, "temperature": 0},
                timeout=60,
            )
            texts.append(answer.json()["choices"][0]["message"]["content"])
    assert texts[0]
    assert texts[0] == texts[1] == texts[2]


def test_the_token_is_asked_for(default_model_path: Path, tmp_path: Path) -> None:
    token = "b" * 20
    (tmp_path / "token").write_text(token + "\n")
    flags = ["--model", str(default_model_path), "--port", "0"]
    with process(*flags, "--token-file", str(tmp_path / "token")) as server:
        url = server.ready()
        assert httpx.post(url + "/v1/chat/completions", json=CHAT).status_code == 401
        assert ask(url, headers={"Authorization": f"Bearer {token}"})
        assert token not in "\n".join(server.lines)


def test_killed_under_load_it_starts_again_and_nothing_is_damaged(
    default_model_path: Path,
) -> None:
    before = digests(default_model_path)
    flags = ["--model", str(default_model_path), "--port", "0"]
    texts = []
    for _ in range(2):
        with process(*flags) as server:
            url = server.ready()
            texts.append(ask(url, params={}))
            body = {**CHAT, "max_tokens": 500, "stream": True}
            with httpx.stream("POST", url + "/v1/chat/completions", json=body, timeout=60) as one:
                next(one.iter_lines())
                server.stop(signal.SIGKILL)
    assert digests(default_model_path) == before
    assert all(texts)


def test_stopping_ends_streams(default_model_path: Path) -> None:
    with process("--model", str(default_model_path), "--port", "0") as server:
        url = server.ready()
        body = {**CHAT, "max_tokens": 5000, "stream": True, "temperature": 0}
        body["logit_bias"] = {"0": -100, "2": -100}
        with httpx.stream("POST", url + "/v1/chat/completions", json=body, timeout=60) as one:
            lines = one.iter_lines()
            next(lines)
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(httpx.HTTPError):
                for _ in lines:
                    pass
        assert server.stop() == 0
        assert "Traceback" not in "\n".join(server.lines), json.dumps(server.lines)


def test_a_template_from_a_folder_of_its_own_is_read_behind_the_lock(
    default_model_path: Path, tmp_path: Path
) -> None:
    template = tmp_path / "own.jinja"
    template.write_text("{% for one in messages %}{{ one.content }}{% endfor %}")
    flags = ("--model", str(default_model_path), "--port", "0", "--template", str(template))
    with process(*flags) as server:
        ask(server.ready())  # by this template the model may well have nothing to say
