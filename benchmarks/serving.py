"""The server: many users at once against llama.cpp's, warm prefixes, and what HTTP costs.

    python benchmarks/serving.py --rounds 5

16 chats at once share a system prompt of 400 tokens, ask 60 tokens each and get 128 back, from
Qingyu and from llama.cpp's server (package xllamacpp, in `make peers`'s interpreter; with flash
attention and without, the better counts), on the same file with the same threads, in turn.
Every round has new questions; the system prompt stays, and the first round is not counted, so both
servers know it. Then, Qingyu alone: the
time to the first token after a prefix of 1,000 tokens, cold and warm; and one user's tokens per
second through HTTP against the engine in a process without a server, on the same prompt and seed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from _model_files import ROOT, add_arguments, default_model
from _server import Answer, Server, ask, ask_all, start_llama, start_qingyu

CHATS, SYSTEM, QUESTION, NEW = 16, 400, 60, 128
PREFIX, ALONE = 1000, 256
REQUIRED = {"throughput": 2.5, "warm": 0.1, "http": 0.95}

ENGINE = """
import json, sys, time
import qingyu
model = qingyu.load(sys.argv[1], threads=int(sys.argv[2]))
for line in sys.stdin:
    body = json.loads(line)
    tokens = model.chat_tokens(body["messages"])
    started = time.perf_counter()
    bias = {int(token): -100.0 for token in body["logit_bias"]}
    stream = model.generate(tokens, max_tokens=body["max_tokens"], logit_bias=bias,
        temperature=body["temperature"], seed=body["seed"])
    first = None
    for piece in stream:
        first = first or time.perf_counter()
    ended = time.perf_counter()
    print(json.dumps({"seconds": ended - started, "decode": ended - first,
        "tokens": len(stream.result.tokens)}), flush=True)
"""


def main() -> None:
    arguments = parse()
    model = default_model(arguments.model)
    import qingyu

    with qingyu.load(model) as loaded:
        words = Words(loaded)
        ends = sorted(loaded.tokenizer.eos_ids)
    results: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "threads": arguments.threads}
    with ExitStack() as stack:
        flags = ("--model", str(model), "--threads", str(arguments.threads))
        ours = stack.enter_context(start_qingyu(*flags))
        peers: dict[str, Server] = {}
        if arguments.peers_python.exists():
            for flash in (True, False):
                name = f"llama.cpp, flash attention {'on' if flash else 'off'}"
                peers[name] = stack.enter_context(
                    start_llama(
                        arguments.peers_python,
                        model,
                        threads=arguments.threads,
                        flash=flash,
                        parallel=CHATS,
                    )
                )
        else:
            print("no interpreter with xllamacpp: only Qingyu is measured (make peers)")
        results["chats"] = many(ours, peers, words, ends, arguments.rounds)
        results["prefix"] = prefix(ours, words, arguments.rounds)
        results["alone"] = alone(ours, model, words, ends, arguments)
    show(results)
    output = arguments.json or ROOT / "benchmarks" / "results" / "serving.json"
    output.write_text(json.dumps(results, indent=1) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


class Words:
    """Random prose of so many tokens."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._random = random.Random(time.time_ns())
        text = "river stone light winter garden letter morning paper window silver market bread"
        text += " engine valley lantern harbor copper meadow thunder island coffee mirror candle"
        self._words = text.split()

    def text(self, tokens: int) -> str:
        """A new text of about so many tokens."""
        words: list[str] = []
        while len(self._model_tokens(" ".join(words))) < tokens:
            words += self._random.choices(self._words, k=max(1, tokens // 8))
        while len(self._model_tokens(" ".join(words))) > tokens:
            words.pop()
        return " ".join(words)

    def _model_tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._model.tokenizer.encode(text)
        return tokens


def many(
    ours: Server, peers: dict[str, Server], words: Words, ends: list[int], rounds: int
) -> dict[str, Any]:
    """16 chats at once."""
    servers = {"Qingyu": ours, **peers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    answers: dict[str, list[Answer]] = {name: [] for name in servers}
    system = words.text(SYSTEM)
    left = dict(servers)
    for number in range(rounds + 1):
        questions = [words.text(QUESTION) for _ in range(CHATS)]
        for name, server in list(left.items()):
            bodies = [body(system, question, name, ends) for question in questions]
            got, seconds = asyncio.run(ask_all(server.address, bodies))
            wrong = [one for one in got if one.status != 200 or one.tokens != NEW]
            if wrong:
                raise SystemExit(f"{name}: {len(wrong)} of {CHATS} answers are not {NEW} tokens")
            rate = CHATS * NEW / seconds
            print(f"round {number}: {name}: {rate:,.0f} tokens/s", flush=True)
            if number < 1:  # it warms everybody up, and has the system prompt computed
                continue
            rates[name].append(rate)
            answers[name] += got
        # The slower of a peer's two ways is not measured again and again.
        first = {name: rates[name][0] for name in left if name in peers and number == 1}
        for name, rate in first.items():
            if rate < max(first.values()):
                del left[name]
    found = {
        name: {
            "tokens_per_second": median(rates[name]),
            "first_p50": quantile([one.first for one in answers[name]], 50),
            "first_p95": quantile([one.first for one in answers[name]], 95),
            "gap_p50": quantile([gap for one in answers[name] for gap in one.gaps], 50),
            "gap_p95": quantile([gap for one in answers[name] for gap in one.gaps], 95),
            "resident_bytes": server.resident,
        }
        for name, server in servers.items()
    }
    best = max((found[name]["tokens_per_second"] for name in peers), default=None)
    ratio = None if best is None else found["Qingyu"]["tokens_per_second"] / best
    return {"servers": found, "ratio": ratio}


def body(system: str, question: str, name: str, ends: list[int]) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "model": "default",
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
        ],
        "max_tokens": NEW,
        "temperature": 0,
    }
    if name == "Qingyu":
        asked["logit_bias"] = {str(token): -100 for token in ends}
    else:
        asked |= {"ignore_eos": True, "cache_prompt": True}
    return asked


def prefix(server: Server, words: Words, rounds: int) -> dict[str, Any]:
    """Time to the first token after a long prefix, cold and warm."""
    cold, warm = [], []
    for _ in range(max(5, rounds)):
        system = words.text(PREFIX)
        for times in (cold, warm):
            asked = body(system, words.text(10), "Qingyu", [])
            asked["max_tokens"] = 4
            times.append(asyncio.run(ask(server.address, asked)).first)
    return {"cold": median(cold), "warm": median(warm), "ratio": median(warm) / median(cold)}


def alone(
    server: Server, model: Path, words: Words, ends: list[int], arguments: argparse.Namespace
) -> dict[str, Any]:
    """One user, through HTTP and without."""
    command = [sys.executable, "-c", ENGINE, str(model), str(arguments.threads)]
    rates: dict[str, list[float]] = {"http": [], "engine": []}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        for number in range(2 * arguments.rounds + 1):
            asked = body(words.text(50), words.text(20), "Qingyu", ends)
            asked |= {"max_tokens": ALONE, "temperature": 1.0, "seed": number}
            answer = asyncio.run(ask(server.address, asked))
            engine.stdin.write(json.dumps(asked) + "\n")
            engine.stdin.flush()
            other = json.loads(engine.stdout.readline())
            assert answer.tokens == other["tokens"] == ALONE
            if number:
                rates["http"].append(ALONE / answer.seconds)
                rates["engine"].append(ALONE / other["seconds"])
        engine.stdin.close()
    ratios = [one / other for one, other in zip(rates["http"], rates["engine"], strict=True)]
    return {
        "http": median(rates["http"]),
        "engine": median(rates["engine"]),
        "ratio": median(ratios),
    }


def quantile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1] if len(values) > 1 else values[0]


def show(results: dict[str, Any]) -> None:
    chats = results["chats"]
    print(f"\n{CHATS} chats at once | tokens/s | first token p50, p95 | gap p50, p95 | memory")
    for name, one in chats["servers"].items():
        print(
            f"{name} | {one['tokens_per_second']:,.0f}"
            f" | {one['first_p50']:.2f}, {one['first_p95']:.2f} s"
            f" | {1000 * one['gap_p50']:.0f}, {1000 * one['gap_p95']:.0f} ms"
            f" | {one['resident_bytes'] / 1e6:,.0f} MB"
        )
    verdict(
        "tokens/s against llama.cpp's better", chats["ratio"], REQUIRED["throughput"], least=True
    )
    found = results["prefix"]
    print(f"first token after 1,000: cold {found['cold']:.3f} s, warm {found['warm']:.3f} s")
    verdict("warm against cold", found["ratio"], REQUIRED["warm"], least=False)
    found = results["alone"]
    print(f"one user: HTTP {found['http']:.1f}, engine alone {found['engine']:.1f} tokens/s")
    verdict("HTTP against the engine", found["ratio"], REQUIRED["http"], least=True)


def verdict(title: str, ratio: float | None, required: float, *, least: bool) -> None:
    if ratio is None:
        print(f"  {title}: not measured")
        return
    holds = ratio >= required if least else ratio <= required
    sign = "≥" if least else "≤"
    print(f"  {title}: {ratio:.3f} (required {sign} {required}): {'holds' if holds else 'FAILS'}")


if __name__ == "__main__":
    main()
