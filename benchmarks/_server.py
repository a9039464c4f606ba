"""Starts servers for benchmarks, and asks them with as little work as can be.

    with QingyuServer(port_flags...) as server, LlamaServer(python, model) as peer:
        answers = asyncio.run(ask_all(server.address, bodies))

The client reads raw server-sent events and only notes when they came: it shares the processor
with the server it measures.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 120.0

# llama.cpp's server inside the package xllamacpp: it listens by itself.
PEER = """
import json, sys, threading
import xllamacpp
settings = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = settings["model"]
params.n_ctx = settings["context"]
params.n_parallel = settings["parallel"]
params.cpuparams.n_threads = settings["threads"]
params.cpuparams_batch.n_threads = settings["threads"]
params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, settings["flash"])
params.kv_unified = True
params.cont_batching = True
params.cache_prompt = True
params.port = 0
params.warmup = True
params.verbosity = -1
server = xllamacpp.Server(params)
print(json.dumps({"address": server.listening_address}), flush=True)
sys.stdin.read()
"""


@dataclass
class Answer:
    """One streamed answer: seconds since the start of its request at which text came."""

    status: int = 0
    tokens: int = 0
    cached: int = 0
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    text: str = ""

    @property
    def first(self) -> float:
        return self.times[0] if self.times else float("nan")

    @property
    def gaps(self) -> list[float]:
        return [later - sooner for sooner, later in zip(self.times, self.times[1:], strict=False)]


class Server:
    """A server process; `address` is (host, port)."""

    def __init__(self, process: subprocess.Popen[str], address: tuple[str, int]) -> None:
        self.process = process
        self.address = address

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def start_qingyu(*flags: str, python: str = sys.executable) -> Server:
    """`qingyu serve` on a free port, ready."""
    process = subprocess.Popen(
        [python, "-m", "qingyu", "serve", "--port", "0", *flags],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "QINGYU_LANG": "en"},
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r"is ready at http://([^:/\s]+):(\d+)", line)
        if found:
            # What it says later must not fill the pipe.
            pass_on(process)
            return Server(process, (found[1], int(found[2])))
    raise SystemExit(f"qingyu serve ended: {''.join(said)}")


def pass_on(process: subprocess.Popen[str]) -> None:
    """Pass on what a server says on stderr."""

    def drain() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if "Ctrl-C" not in line and "context" not in line and "sealed" not in line:
                sys.stderr.write(line)

    threading.Thread(target=drain, daemon=True).start()


def start_llama(python: Path, model: Path, *, threads: int, flash: bool, parallel: int) -> Server:
    """llama.cpp's server on a free port, ready."""
    settings = {
        "model": str(model),
        "context": 1024 * parallel,
        "parallel": parallel,
        "threads": threads,
        "flash": f"LLAMA_FLASH_ATTN_TYPE_{'ENABLED' if flash else 'DISABLED'}",
    }
    process = subprocess.Popen(
        [str(python), "-c", PEER, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"address"'):
            address = re.sub(r"^https?://", "", json.loads(line)["address"]).rstrip("/")
            host, _, port = address.rpartition(":")
            return Server(process, (host or "127.0.0.1", int(port)))
    raise SystemExit("llama.cpp's server did not start")


async def ask(
    address: tuple[str, int],
    body: dict[str, Any],
    *,
    path: str = "/v1/chat/completions",
    leave_after: int | None = None,
) -> Answer:
    """One streamed request. leave_after: hang up after so many events."""
    payload = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}})
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        "Content-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(payload.encode())}\r\n\r\n"
    )
    answer = Answer()
    reader, writer = await asyncio.open_connection(*address, limit=1 << 20)
    try:
        started = time.perf_counter()
        writer.write(head.encode() + payload.encode())
        await writer.drain()
        answer.status = int((await reader.readline()).split()[1])
        pieces = []
        async for line in reader:
            if not line.startswith(b"data: {"):
                continue
            now = time.perf_counter() - started
            if b'"content":"' in line and b'"content":""' not in line:
                answer.times.append(now)
                pieces.append(line)
                if leave_after is not None and len(pieces) >= leave_after:
                    break
            if b'"usage":{' in line:
                usage = json.loads(line[6:])["usage"]
                answer.tokens = usage["completion_tokens"]
                details = usage.get("prompt_tokens_details") or {}
                answer.cached = details.get("cached_tokens", 0)
        answer.seconds = time.perf_counter() - started
        answer.text = "".join(
            json.loads(line[6:])["choices"][0]["delta"].get("content") or "" for line in pieces
        )
    finally:
        writer.close()
    return answer


async def ask_all(
    address: tuple[str, int], bodies: Sequence[dict[str, Any]]
) -> tuple[list[Answer], float]:
    """All requests at once; their answers, and the seconds until the last was whole."""
    started = time.perf_counter()
    answers = await asyncio.gather(*(ask(address, body) for body in bodies))
    return answers, time.perf_counter() - started
