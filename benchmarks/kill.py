"""Killed in the middle of everything: it starts again, and nothing on disk is damaged.

    python benchmarks/kill.py --rounds 3

Every round, eight streams run against `qingyu serve`, and when text is coming the process gets
SIGKILL. It must start again on the same port and give the same greedy answer as before; in the
end the files in the model's folder must be what they were, byte for byte. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from _model_files import ROOT, add_arguments, default_model
from _server import Answer, Server, ask, start_qingyu

STREAMS = 8
SOME = 12  # events of one stream after which all are under way
GREEDY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Count from one to ten."}],
    "max_tokens": 24,
    "temperature": 0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    model = default_model(arguments.model)
    flags = ["--model", str(model), "--threads", str(arguments.threads)]
    files = digests(model.parent)
    texts, starts, cut, failures = [], [], [], []
    for number in range(arguments.rounds + 1):
        started = time.perf_counter()
        try:
            server = start_qingyu(*flags)
        except SystemExit as error:
            failures.append(f"start {number}: {error}")
            break
        with server:
            starts.append(time.perf_counter() - started)
            if number == 0:
                # Those who come back look for it where it was.
                flags += ["--port", str(server.address[1])]
            texts.append(asyncio.run(ask(server.address, GREEDY)).text)
            if number == arguments.rounds:
                continue
            cut.append(asyncio.run(kill(server)))
            if not cut[-1]:
                failures.append(f"round {number}: no stream was cut; it was not under load")
    if len(set(texts)) != 1 or not texts[0]:
        failures.append(f"answers differ: {texts}")
    after = digests(model.parent)
    changed = [name for name in {*files, *after} if files.get(name) != after.get(name)]
    failures += [f"{name} is not what it was" for name in sorted(changed)]
    print(f"killed {len(cut)} times; streams cut each time: {cut} of {STREAMS}")
    print("seconds to start: " + ", ".join(f"{one:.2f}" for one in starts))
    print(f"same answer each time: {len(set(texts)) == 1}; files changed: {len(changed)}")
    for failure in failures:
        print(f"FAILED: {failure}")
    print("serves again" if not failures else "FAILED")
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "kills": len(cut),
        "streams_cut": cut,
        "start_seconds": starts,
        "files": len(files),
        "failures": failures,
    }
    output = arguments.json or ROOT / "benchmarks" / "results" / "kill.json"
    output.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(1 if failures else 0)


async def kill(server: Server) -> int:
    """Kill it while it serves; how many streams had begun and did not get to their end."""
    body = {**GREEDY, "max_tokens": 4000, "temperature": 1.0}
    streams = [asyncio.create_task(ask(server.address, body)) for _ in range(STREAMS)]
    await ask(server.address, body, leave_after=SOME)
    server.process.kill()
    server.process.wait()
    ended = await asyncio.gather(*streams, return_exceptions=True)
    # Usage comes with the last event: without it, the end is missing.
    return sum(
        isinstance(one, ConnectionError)
        or (isinstance(one, Answer) and bool(one.times) and not one.tokens)
        for one in ended
    )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
        for path in files
    }


if __name__ == "__main__":
    main()
