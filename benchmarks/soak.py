"""Half an hour of everything at once: no growth in memory, no request stuck.

    python benchmarks/soak.py --minutes 30

Twelve clients against `qingyu serve`: short and long chats, streamed and not, schemas, tools,
several answers at once, hang-ups, bad requests. Memory is looked at every two seconds; after a
tenth of the time for warming up, the line through what follows must not rise by more than 2% of
its height, and every request must have ended. Exit code 1 if not. Of a request that failed it
is said when it began, how long it took, and how much processor time the server was given
meanwhile: on a machine that is busy with other things, a request may time out for want of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from typing import Any

import httpx
from _model_files import ROOT, add_arguments, default_model
from _server import Server, start_qingyu

CLIENTS = 12
STUCK_SECONDS = 120.0
ALLOWED = 0.02
SYSTEM = "You are a careful assistant. " + "Answer in short, plain sentences. " * 12
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 40},
        "people": {"type": "integer", "minimum": 0, "maximum": 40_000_000},
        "rivers": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    },
    "required": ["city", "people", "rivers"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "set_light",
        "parameters": {
            "type": "object",
            "properties": {"room": {"enum": ["kitchen", "bath"]}, "on": {"type": "boolean"}},
            "required": ["room", "on"],
        },
    },
}


class Load:
    """What the clients do, and what they saw."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self.url = f"http://{server.address[0]}:{server.address[1]}/v1/chat/completions"
        self.started = time.monotonic()
        self.until = self.started + seconds
        self.seen: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.failures: list[str] = []

    async def client(self, seed: int) -> None:
        chance = random.Random(seed)
        limits = httpx.Limits(max_keepalive_connections=2)
        async with httpx.AsyncClient(timeout=STUCK_SECONDS, limits=limits) as client:
            while time.monotonic() < self.until:
                kind = chance.choice(
                    ("short", "short", "stream", "stream", "schema", "tool", "long", "many",
                     "leave", "leave", "bad")
                )  # fmt: skip
                began, used = time.monotonic(), self.server.cpu_seconds
                try:
                    await getattr(self, kind)(client, chance)
                except (httpx.HTTPError, TimeoutError, AssertionError, ValueError) as error:
                    seconds = time.monotonic() - began
                    share = (self.server.cpu_seconds - used) / seconds
                    self.failures.append(
                        f"{kind}, {began - self.started:.0f} s from the start, after"
                        f" {seconds:.1f} s with {share:.2f} processors for the server:"
                        f" {type(error).__name__} {str(error)[:200]}"
                    )
                taken = time.monotonic() - began
                self.slowest[kind] = max(taken, self.slowest.get(kind, 0.0))
                await asyncio.sleep(chance.random() * 0.2)

    def body(self, chance: random.Random, words: int = 12, **fields: Any) -> dict[str, Any]:
        nouns = ("river", "lamp", "garden", "paper", "city", "window", "train", "morning")
        text = " ".join(chance.choices(nouns, k=words))
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        return {"messages": messages, "max_tokens": chance.randrange(8, 80), **fields}

    async def ask(self, client: httpx.AsyncClient, body: dict[str, Any], kind: str) -> Any:
        answer = await client.post(self.url, json=body)
        self.seen[f"{kind} {answer.status_code}"] += 1
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def short(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        await self.ask(client, self.body(chance), "short")

    async def long(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        await self.ask(client, self.body(chance, words=chance.randrange(500, 2500)), "long")

    async def many(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        found = await self.ask(client, self.body(chance, n=3, seed=chance.randrange(99)), "n=3")
        assert found is None or len(found["choices"]) == 3

    async def schema(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
        body = self.body(chance, response_format=form)
        body["max_tokens"] = 200
        found = await self.ask(client, body, "schema")
        if found is not None and found["choices"][0]["finish_reason"] == "stop":
            assert set(json.loads(found["choices"][0]["message"]["content"])) == {
                "city",
                "people",
                "rivers",
            }

    async def tool(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        body = self.body(chance, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
        body["max_tokens"] = 100
        found = await self.ask(client, body, "tool")
        if found is not None and found["choices"][0]["finish_reason"] == "tool_calls":
            (call,) = found["choices"][0]["message"]["tool_calls"]
            assert set(json.loads(call["function"]["arguments"])) == {"room", "on"}

    async def stream(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        last = ""
        async with client.stream("POST", self.url, json=self.body(chance, stream=True)) as answer:
            self.seen[f"stream {answer.status_code}"] += 1
            async for line in answer.aiter_lines():
                last = line or last
        assert answer.status_code == 429 or last == "data: [DONE]", last

    async def leave(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        body = self.body(chance, stream=True)
        body["max_tokens"] = 2000
        async with client.stream("POST", self.url, json=body) as answer:
            left = chance.randrange(1, 20)
            async for line in answer.aiter_lines():
                left -= bool(line)
                if not left:
                    break
        self.seen["left in mid-stream"] += 1

    async def bad(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        answer = await client.post(self.url, json=self.body(chance, temperature=9))
        self.seen[f"bad {answer.status_code}"] += 1
        assert answer.status_code == 400


async def run(server: Server, seconds: float) -> tuple[Load, list[tuple[float, int]]]:
    """The load, and memory by time."""
    load = Load(server, seconds)
    samples: list[tuple[float, int]] = []
    started = time.monotonic()

    async def watch() -> None:
        while True:
            samples.append((time.monotonic() - started, server.resident))
            await asyncio.sleep(2.0 if seconds > 60 else 0.25)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(load.client(seed) for seed in range(CLIENTS)))
    watching.cancel()
    return load, samples


def rise(samples: list[tuple[float, int]], warm: float) -> float:
    """By what share the least-squares line through the later samples rises."""
    later = [(at, size) for at, size in samples if at >= warm]
    mean_at = sum(at for at, _ in later) / len(later)
    mean = sum(size for _, size in later) / len(later)
    spread = sum((at - mean_at) ** 2 for at, _ in later)
    slope = sum((at - mean_at) * (size - mean) for at, size in later) / spread
    return slope * (later[-1][0] - later[0][0]) / mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--minutes", type=float, default=30.0)
    arguments = parser.parse_args()
    model = default_model(arguments.model)
    seconds = arguments.minutes * 60
    flags = ("--model", str(model), "--threads", str(arguments.threads), "--kv-memory", "200M")
    with start_qingyu(*flags) as server:
        load, samples = asyncio.run(run(server, seconds))
        time.sleep(3)
        address = f"http://{server.address[0]}:{server.address[1]}"
        metrics = dict(
            line.split()
            for line in httpx.get(address + "/metrics").text.splitlines()
            if line[0] != "#" and "{" not in line
        )
    stuck = int(float(metrics["qingyu_running_requests"]))
    stuck += int(float(metrics["qingyu_waiting_requests"]))
    # Half of a short run is still filling the cache for prefixes.
    growth = rise(samples, seconds * (0.1 if seconds >= 600 else 0.5))
    allowed = ALLOWED if seconds >= 600 else 0.2
    print(f"{sum(load.seen.values())} requests in {arguments.minutes:g} min:")
    for name, count in sorted(load.seen.items()):
        print(f"  {name}: {count}")
    slow = ", ".join(f"{kind} {taken:.1f}" for kind, taken in sorted(load.slowest.items()))
    print(f"slowest, in seconds: {slow}")
    first, last = samples[len(samples) // 10][1], samples[-1][1]
    print(f"memory after warming up: {first / 1e6:.0f} MB, in the end {last / 1e6:.0f} MB")
    print(f"trend: {100 * growth:+.2f}% (allowed +{100 * allowed:.0f}%); stuck requests: {stuck}")
    for failure in load.failures[:10]:
        print(f"FAILED: {failure}")
    ok = not load.failures and not stuck and growth <= allowed
    print("holds" if ok else "FAILED")
    output = arguments.json or ROOT / "benchmarks" / "results" / "soak.json"
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "minutes": arguments.minutes,
        "requests": dict(load.seen),
        "slowest": load.slowest,
        "trend": growth,
        "stuck": stuck,
        "failures": load.failures,
        "memory": samples[:: max(1, len(samples) // 200)],
    }
    output.write_text(json.dumps(results) + "\n")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
