"""Hundreds of JSON schemas, answered by the default model at temperature 1: is all of it valid?

    python benchmarks/schemas.py --seeds 1

Every schema of `_schemas.py` is followed by `model.generate`, and what was finished is judged by
the package jsonschema, which shares nothing with us. Then: what a token costs under a constraint
against free text, and how many forward passes forced tokens save on a tool call.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from statistics import median
from typing import Any

import jsonschema
from _model_files import ROOT, add_arguments, default_model
from _schemas import refused, schemas

import qingyu
from qingyu.errors import ConstraintError
from qingyu.serve.tools import Tool, ToolPlan

MOST_TOKENS = 256
AT_ONCE = 16
REQUIRED_COST, REQUIRED_SAVED = 1.1, 0.20
TOOLS = (
    Tool(
        name="set_temperature",
        description="Set the target of a room's heating",
        parameters={
            "type": "object",
            "properties": {
                "room": {"enum": ["living room", "bedroom", "kitchen", "bathroom"]},
                "degrees": {"type": "integer", "minimum": 5, "maximum": 30},
            },
            "required": ["room", "degrees"],
        },
    ),
    Tool(
        name="get_weather",
        description="The weather of a city",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 30}},
            "required": ["city"],
        },
    ),
)


def validity(model: Any, seeds: int) -> dict[str, Any]:
    """How many of what was finished are valid."""
    found: dict[str, Any] = {"schemas": 0, "finished": 0, "valid": 0, "cut": 0, "wrong": []}
    asked = []
    for name, schema in schemas():
        found["schemas"] += 1
        asked += [(name, schema, seed) for seed in range(seeds)]
    found["answers"] = len(asked)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    for start in range(0, len(asked), AT_ONCE):
        with model.session() as session:
            running = []
            for number, (name, schema, seed) in enumerate(asked[start : start + AT_ONCE]):
                prompt = model.chat_tokens(
                    [{"role": "user", "content": f"Answer with JSON: an example of {name}."}]
                )
                one = session.add(
                    prompt,
                    schema=schema,
                    temperature=1.0,
                    seed=1000 * seed + start + number,
                    max_tokens=MOST_TOKENS,
                )
                running.append((name, schema, one))
            while session.step():
                pass
            for name, schema, one in running:
                result = one.result
                if not result.constraint_complete or result.stop_reason == "length":
                    found["cut"] += 1
                    continue
                found["finished"] += 1
                try:
                    value = json.loads(result.text)
                    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(value)
                except (ValueError, jsonschema.ValidationError) as error:
                    found["wrong"].append([name, result.text[:300], str(error)[:300]])
                else:
                    found["valid"] += 1
    found["refused"], found["taken"] = 0, []
    for name, schema in refused():
        try:
            model.generate("x", schema=schema).close()
        except ConstraintError:
            found["refused"] += 1
        else:
            found["taken"].append(name)
    return found


def cost(model: Any, rounds: int) -> dict[str, float]:
    """Seconds per token with a mask for every token, against free text, in turn."""
    bias = dict.fromkeys(model.tokenizer.eos_ids, -100.0)
    # A long text in which nothing is forced: every token takes a mask.
    form = {"type": "string", "minLength": 2000}
    times: dict[str, list[float]] = {"free": [], "constrained": []}
    for seed in range(rounds + 1):
        for name, options in (("free", {"logit_bias": bias}), ("constrained", {"schema": form})):
            result = model.generate(
                "The old harbour town", max_tokens=128, temperature=1.0, seed=seed,
                speculate=False, **options,
            ).read()  # fmt: skip
            if seed:
                times[name].append(result.decode_seconds / result.decode_tokens)
    free, constrained = median(times["free"]), median(times["constrained"])
    ratios = [one / other for one, other in zip(times["constrained"], times["free"], strict=True)]
    return {"free": free, "constrained": constrained, "ratio": median(ratios)}


def saved(model: Any) -> dict[str, Any]:
    """Forward passes of a tool call against its tokens."""
    plan = ToolPlan.of(TOOLS, choice="required", parallel=False, template=model.template)
    passes = tokens = 0
    for seed, question in enumerate(("Make the bedroom warmer", "Is it raining in Paris?")):
        messages, tools = plan.prompt([{"role": "user", "content": question}])
        result = model.chat(
            messages,
            tools=tools,
            constraint=plan.grammar(model.tokenizer),
            temperature=1.0,
            seed=seed,
            max_tokens=200,
            speculate=False,
        ).read()
        passes += result.forward_passes
        tokens += len(result.tokens)
    return {"tokens": tokens, "passes": passes, "saved": 1 - passes / tokens}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=1, help="answers per schema")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    path = default_model(arguments.model)
    with qingyu.load(path, threads=arguments.threads, kv_tokens=32768) as model:
        started = time.perf_counter()
        found = validity(model, arguments.seeds)
        seconds = time.perf_counter() - started
        price, calls = cost(model, arguments.rounds), saved(model)
    share = found["valid"] / max(1, found["finished"])
    print(
        f"{found['schemas']} schemas, {found['answers']} answers in {seconds:.0f} s:"
        f" {found['finished']} finished, {found['cut']} cut at {MOST_TOKENS} tokens"
    )
    valid = found["valid"] == found["finished"]
    print(f"  valid of the finished: {100 * share:.1f}% (required 100%): {verdict(valid)}")
    for name, text, error in found["wrong"][:10]:
        print(f"  WRONG {name}: {text} {error}")
    refusals = not found["taken"]
    print(f"  refused before generating: {found['refused']}: {verdict(refusals)} {found['taken']}")
    cheap = price["ratio"] <= REQUIRED_COST
    print(
        f"a token: free {1e3 * price['free']:.2f} ms, constrained"
        f" {1e3 * price['constrained']:.2f} ms: {price['ratio']:.3f} x"
        f" (required ≤ {REQUIRED_COST}): {verdict(cheap)}"
    )
    spared = calls["saved"] >= REQUIRED_SAVED
    print(
        f"tool calls: {calls['tokens']} tokens in {calls['passes']} forward passes:"
        f" {100 * calls['saved']:.0f}% saved (required ≥ 20%): {verdict(spared)}"
    )
    output = arguments.json or ROOT / "benchmarks" / "results" / "schemas.json"
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "validity": found,
        "cost": price,
        "tool_calls": calls,
    }
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    sys.exit(0 if valid and refusals and cheap and spared else 1)


def verdict(holds: bool) -> str:
    return "holds" if holds else "FAILS"


if __name__ == "__main__":
    main()
