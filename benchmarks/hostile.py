"""A server among enemies: thousands of bad requests, and it still answers.

    python benchmarks/hostile.py --requests 2000

Starts `qingyu serve`, sends it broken JSON, wrong types, absurd numbers, deep nesting, halves of
characters, grammars made to explode, slow and cut-off bodies, hang-ups in mid-stream and floods,
and asks a good question after every group. Fails if one goes unanswered, if any answer is a 5xx
(503 of a stopped queue aside), or if memory has grown by more than 5%.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _model_files import ROOT, add_arguments, default_model
from _server import Server, ask, start_qingyu

GROWTH = 0.05
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/tokenize", "/detokenize")
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
NUMBERS = (-1, 0, -(2**63), 2**63, 2**64, 10**40, 1e308, -1e308, 1e-320, 0.1, True, None)
WRONG = ("", "x", [], {}, [[]], [None], {"a": 1}, "\u0000", "a" * 5000, True, 3, -7.5)
FIELDS = (
    "temperature", "top_p", "n", "max_tokens", "seed", "stop", "messages", "logit_bias", "tools",
    "tool_choice", "response_format", "stream", "stream_options", "top_logprobs", "model", "user",
    "presence_penalty", "deadline_seconds", "input", "prompt", "text", "tokens", "include",
)  # fmt: skip
NASTY_SCHEMAS: tuple[Any, ...] = (
    {"type": "string", "pattern": "(a{1000}){1000}"},
    {"type": "string", "pattern": "(((a?){50}){50}){50}"},
    {"type": "string", "minLength": 10**9},
    {"type": "array", "minItems": 10**9, "items": {"type": "string"}},
    {"$ref": "#"},
    {"allOf": [{"$ref": "#"}]},
    {"anyOf": [{"type": "string", "maxLength": n} for n in range(300)]},
    {"type": "object", "properties": {f"p{n}": {"$ref": "#"} for n in range(400)}},
    {"enum": [f"{n}" * 30 for n in range(3000)]},
    {"not": {}},
    {"$ref": "http://127.0.0.1:1/x"},
    {"type": "integer", "multipleOf": 1e-300},
    {"type": "number", "minimum": 1e300, "maximum": 1e301},
    {"type": "object", "x-guidance": {"lenient": True}, "not": {}},
)
NASTY_LARK = (
    'start: start start | "a"',
    "start: a\na: b\nb: a",
    "start: /(.*)*(.*)*(.*)*x/",
    'start: "a"' + "?" * 2000,
    'start: x{1000000}\nx: "a"',
    "start: " + "(" * 3000 + '"a"' + ")" * 3000,
    "%json {",
)


class Attack:
    """Sends requests and keeps count of what came back."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.statuses: Counter[str] = Counter()
        self.failures: list[str] = []

    async def raw(
        self,
        content: bytes,
        *,
        path: str = ENDPOINTS[0],
        head: str = "Content-Type: application/json\r\n",
        length: int | None = None,
        pause: float = 0.0,
        hang_up: bool = False,
    ) -> None:
        """One request, byte by byte if need be; notes the status."""
        host, port = self.server.address
        size = len(content) if length is None else length
        request = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            f"{head}Content-Length: {size}\r\n\r\n"
        ).encode()
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            self.failures.append("no connection")
            return
        try:
            writer.write(request + content[: len(content) // 2])
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
            if hang_up:
                self.statuses["hung up"] += 1
                return
            writer.write(content[len(content) // 2 :])
            await writer.drain()
            line = await asyncio.wait_for(reader.readline(), 60)
            status = line.split()[1].decode() if line else "closed"
            self.statuses[status] += 1
            if status.startswith("5") and status != "503":
                body = (await reader.read(2000)).decode("utf-8", "replace")
                self.failures.append(f"{status} for {content[:200]!r}: {body[-300:]}")
            else:
                await reader.read(1 << 16)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.statuses["closed"] += 1
        except TimeoutError:
            self.failures.append(f"no answer to {content[:200]!r}")
        finally:
            writer.close()

    async def json(self, body: Any, path: str = ENDPOINTS[0]) -> None:
        await self.raw(json.dumps(body).encode(), path=path)

    # The groups. Each is one hostile request.

    async def broken(self) -> None:
        good = json.dumps(CHAT).encode()
        cut = bytearray(good[: self.random.randrange(len(good))])
        for _ in range(self.random.randrange(4)):
            cut.insert(self.random.randrange(len(cut) + 1), self.random.randrange(256))
        await self.raw(bytes(cut), path=self.random.choice(ENDPOINTS))

    async def numbers(self) -> None:
        field = self.random.choice(FIELDS)
        await self.json({**CHAT, field: self.random.choice(NUMBERS)}, self.random.choice(ENDPOINTS))

    async def types(self) -> None:
        body = {**CHAT}
        for _ in range(self.random.randrange(1, 4)):
            body[self.random.choice(FIELDS)] = self.random.choice(WRONG)
        body["max_tokens"] = 2
        await self.json(body, self.random.choice(ENDPOINTS))

    async def nesting(self) -> None:
        depth = self.random.choice((50, 100, 1000, 100_000))
        opening, closing = self.random.choice(((b"[", b"]"), (b'{"a":', b"}")))
        inner = opening * depth + b"1" + closing * depth
        await self.raw(b'{"messages": ' + inner + b"}", path=self.random.choice(ENDPOINTS))

    async def surrogates(self) -> None:
        text = self.random.choice(("\\ud800", "\\udfff", "a\\udc00b", "\\ud83d", "\\u0000\\ufffe"))
        body = '{"messages": [{"role": "user", "content": "' + text + '"}], "max_tokens": 2}'
        await self.raw(body.encode())

    async def grammars(self) -> None:
        body = {**CHAT, "max_tokens": 8, "deadline_seconds": 20}
        if self.random.random() < 0.7:
            schema = self.random.choice(NASTY_SCHEMAS)
            spec = {"name": "a", "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": spec}
        else:
            body["response_format"] = {"type": "lark", "grammar": self.random.choice(NASTY_LARK)}
        await self.json(body)

    async def slow(self) -> None:
        await self.raw(json.dumps(CHAT).encode(), pause=self.random.uniform(0.1, 0.4))

    async def short(self) -> None:
        await self.raw(b"{}", length=500, hang_up=True)

    async def heads(self) -> None:
        # The last of them waits for a body that does not come, until the server gives up.
        head = self.random.choices(
            (
                "Content-Type: text/html\r\n",
                "X: " + "a" * 100_000 + "\r\n",
                "".join(f"X-{n}: a\r\n" for n in range(3000)),
                "Host: evil.example\r\n",
                "Origin: https://evil.example\r\nContent-Type: application/json\r\n",
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
            ),
            (8, 8, 8, 8, 8, 1),
        )[0]
        await self.raw(json.dumps(CHAT).encode(), head=head)

    async def hang_ups(self) -> None:
        body = {**CHAT, "max_tokens": 400}
        await ask(self.server.address, body, leave_after=self.random.randrange(1, 4))
        self.statuses["left in mid-stream"] += 1

    async def large(self) -> None:
        size = self.random.choice((1 << 20, 9 << 20))
        await self.raw(b'{"messages": "' + b"a" * size + b'"}')

    async def long_prompts(self) -> None:
        words = " ".join(self.random.choices(("up", "down", "left"), k=20_000))
        await self.json({**CHAT, "messages": [{"role": "user", "content": words}]})

    async def flood(self) -> None:
        """One of many at once; 429 is a good answer."""
        await self.json({**CHAT, "n": 4})


async def run(server: Server, count: int, seed: int) -> tuple[Attack, dict[str, Any]]:
    """All groups, in turn; then the memory."""
    attack = Attack(server, seed)
    groups: list[tuple[Callable[[], Any], float, int]] = [
        (attack.broken, 0.14, 8), (attack.numbers, 0.14, 8), (attack.types, 0.14, 8),
        (attack.nesting, 0.06, 4), (attack.surrogates, 0.06, 8), (attack.grammars, 0.08, 4),
        (attack.slow, 0.04, 16), (attack.short, 0.04, 16), (attack.heads, 0.06, 8),
        (attack.hang_ups, 0.06, 4), (attack.large, 0.03, 2), (attack.long_prompts, 0.03, 2),
        (attack.flood, 0.12, 200),
    ]  # fmt: skip
    # The cache for prefixes fills once and stays; so does what is imported at first use.
    for make, _, _ in groups:
        await make()
    await fill(server)
    for schema in NASTY_SCHEMAS:
        spec = {"name": "a", "schema": schema}
        form = {"type": "json_schema", "json_schema": spec}
        await attack.json({**CHAT, "response_format": form})
    await attack.large()
    await attack.long_prompts()
    # Room for the largest batch is made once.
    await asyncio.gather(*(attack.flood() for _ in range(200)))
    await asyncio.sleep(3.0)
    attack.statuses.clear()
    before = server.resident
    for make, share, together in groups:
        left = max(1, round(count * share))
        while left:
            batch = min(left, together)
            await asyncio.gather(*(make() for _ in range(batch)))
            left -= batch
        good = await asyncio.wait_for(ask(server.address, CHAT), 60)
        if good.status != 200 or not good.tokens:
            attack.failures.append(f"after {make.__name__}: a good request got {good.status}")
        await asyncio.sleep(3.0)  # it gives memory back when it is idle
        print(f"{make.__name__}: {server.resident / 1e6:.0f} MB", flush=True)
    await fill(server)
    await asyncio.sleep(3.0)
    after = server.resident
    return attack, {"before": before, "after": after, "growth": after / before - 1}


async def fill(server: Server) -> None:
    """Fill the cache for prefixes: what it takes later is no growth."""
    for number in range(12):
        text = f"{number} " + " ".join(str(number * n) for n in range(1, 300))
        await ask(server.address, {**CHAT, "messages": [{"role": "user", "content": text}]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    model = default_model(arguments.model)
    started = time.perf_counter()
    flags = ("--model", str(model), "--threads", str(arguments.threads), "--kv-memory", "200M")
    with start_qingyu(*flags) as server:
        attack, memory = asyncio.run(run(server, arguments.requests, arguments.seed))
        alive = server.process.poll() is None
    seconds = time.perf_counter() - started
    total = sum(attack.statuses.values())
    print(f"{total} hostile requests in {seconds:.0f} s; answers:")
    for status, count in attack.statuses.most_common():
        print(f"  {status}: {count}")
    sizes = f"{memory['before'] / 1e6:.0f} -> {memory['after'] / 1e6:.0f} MB"
    print(f"memory: {sizes} ({100 * memory['growth']:+.1f}%, allowed +{100 * GROWTH:.0f}%)")
    for failure in attack.failures[:10]:
        print(f"FAILED: {failure}")
    ok = alive and not attack.failures and memory["growth"] <= GROWTH
    print("still answering" if ok else "FAILED")
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "requests": total,
        "answers": dict(attack.statuses),
        "memory": memory,
        "failures": attack.failures,
    }
    output = arguments.json or Path(ROOT / "benchmarks" / "results" / "hostile.json")
    output.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
