"""Are answers held to a schema always valid, and what does holding cost?

    python benchmarks/schemas.py

The schemas of `_schemas.py` (over 300: every supported keyword, nested, recursive, enumerations,
ranges, Unicode) are put to the default model at temperature 1. Every answer that was finished
must be valid for two validators that know nothing of this engine. Then: the time per token
against free text (required: at most 1.1 times), and the forward passes that forced tokens save
on tool calls (at least 20 %).
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
from jsonschema.validators import validator_for

import qingyu
from qingyu.errors import ConstraintError
from qingyu.serve.tools import Tool, ToolPlan

try:
    import jsonschema_rs
except ImportError:
    jsonschema_rs = None

MAX_TOKENS = 256
LARGEST = sys.float_info.max
# Free text inside a structure that goes on for longer than it is measured.
OPEN = {"type": "array", "items": {"type": "string", "minLength": 30, "maxLength": 90},
        "minItems": 60}  # fmt: skip
MEASURED_TOKENS = 160
QUESTIONS = (
    "What is the weather in Paris tomorrow? Use celsius.",
    "Turn on the light in the kitchen.",
    "Remind me to call Anna at six.",
    "北京今天天气怎么样？",
)
TOOLS = [
    Tool(name=name, description=description, parameters={"type": "object", "properties": fields,
         "required": list(fields)})
    for name, description, fields in (
        ("get_weather", "Weather of a city", {"city": {"type": "string", "maxLength": 40},
         "unit": {"enum": ["celsius", "fahrenheit"]}, "days": {"type": "integer", "minimum": 1,
         "maximum": 14}}),
        ("set_light", "Switch a light", {"room": {"type": "string", "maxLength": 40},
         "on": {"type": "boolean"}}),
        ("add_reminder", "Remind of something", {"text": {"type": "string", "maxLength": 60},
         "time": {"type": "string", "format": "time"}}),
    )
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--repeats", type=int, default=7, help="of each measurement of time")
    arguments = parser.parse_args()
    path = default_model(arguments.model)
    with qingyu.load(path, threads=arguments.threads, context=2048) as model:
        answers = ask_all(model)
        reasons = refusals(model)
        cost = cost_per_token(model, arguments.repeats)
        saved = saved_by_force(model)
    valid = sum(one["valid"] for one in answers if one["finished"])
    finished = sum(one["finished"] for one in answers)
    missing = [name for name, reason in reasons.items() if reason is None]
    print(f"{'schemas':42} {len(answers):6}")
    print(f"{'finished':42} {finished:6}")
    print(f"{'valid of those':42} {valid:6}   required: all {mark(valid == finished)}")
    print(f"{'cut at ' + str(MAX_TOKENS) + ' tokens':42} {len(answers) - finished:6}")
    print(f"{'refused, as they must be':42} {len(reasons) - len(missing):6}"
          f"   required: {len(reasons)} {mark(not missing)}")  # fmt: skip
    for name, reason in reasons.items():
        print(f"  {name}: {reason or 'NOT REFUSED'}")
    print(f"{'time per token, constrained / free':42} {cost['ratio']:6.3f}   at most 1.1"
          f" {mark(cost['ratio'] <= 1.1)}")  # fmt: skip
    print(f"{'forward passes saved on tool calls':42} {saved['share']:6.1%}   at least 20%"
          f" {mark(saved['share'] >= 0.2)}")  # fmt: skip
    report = {
        "model": path.name,
        "validators": ["jsonschema", *(["jsonschema_rs"] if jsonschema_rs else [])],
        "schemas": len(answers),
        "finished": finished,
        "valid": valid,
        "cut": len(answers) - finished,
        "refused": reasons,
        "cost": cost,
        "forced": saved,
        "answers": answers,
    }
    target = arguments.json or ROOT / "benchmarks" / "results" / "schemas.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")
    if valid != finished or missing:
        sys.exit(1)


def mark(good: bool) -> str:
    return "ok" if good else "--"


def ask_all(model: qingyu.Model) -> list[dict[str, Any]]:
    """One answer for each schema, and whether it is valid."""
    question = "Give one example of the JSON that is asked for, as short as you can."
    answers: list[dict[str, Any]] = []
    for seed, (name, schema) in enumerate(schemas()):
        result = model.chat(
            [{"role": "user", "content": question}],
            schema=schema, temperature=1.0, seed=seed, max_tokens=MAX_TOKENS,
        ).read()  # fmt: skip
        wrong = complaint(schema, result.text) if result.constraint_complete else None
        if wrong:
            print(f"{name}: {result.text!r}: {wrong}")
        answers.append(
            {
                "name": name,
                "text": result.text,
                "finished": bool(result.constraint_complete),
                "valid": bool(result.constraint_complete) and wrong is None,
                "tokens": len(result.tokens),
                "forward_passes": result.forward_passes,
            }
        )
    return answers


def complaint(schema: dict[str, Any], text: str) -> str | None:
    """What a validator has against the text."""
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"no JSON: {error}"
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    for error in kind(schema, format_checker=kind.FORMAT_CHECKER).iter_errors(value):
        return str(error.message)
    if jsonschema_rs is not None:
        # It takes infinity, which is what Python makes of 1e999, for null.
        value = json.loads(text, parse_float=lambda part: min(max(float(part), -LARGEST), LARGEST))
        for error in jsonschema_rs.validator_for(schema, validate_formats=True).iter_errors(value):
            return f"jsonschema_rs: {error.message}"
    return None


def refusals(model: qingyu.Model) -> dict[str, str | None]:
    reasons: dict[str, str | None] = {}
    for name, schema in refused():
        try:
            model.generate("x", schema=schema, max_tokens=1).close()
            reasons[name] = None
        except ConstraintError as error:
            reasons[name] = str(error)
    return reasons


def cost_per_token(model: qingyu.Model, repeats: int) -> dict[str, float]:
    """Seconds from the first token to the last, per token, in turns; nothing is guessed ahead."""
    ends = dict.fromkeys(model.tokenizer.eos_ids, float("-inf"))
    asked: dict[str, Any] = {
        "temperature": 1.0, "max_tokens": MEASURED_TOKENS, "speculate": False,
    }  # fmt: skip
    prompt = "A list of sentences about the sea, in JSON:\n"
    times: dict[str, list[float]] = {"free": [], "constrained": []}
    for number in range(repeats + 1):
        for name, options in (("free", {"logit_bias": ends}), ("constrained", {"schema": OPEN})):
            stream = model.generate(prompt, seed=number, **options, **asked)
            first = None
            for _ in stream:
                first = first or time.perf_counter()
            seconds = time.perf_counter() - (first or 0.0)
            result = stream.result
            assert len(result.tokens) == MEASURED_TOKENS, "it ended early"
            if number:  # the first warms up
                times[name].append(seconds / (len(result.tokens) - 1))
    free, constrained = median(times["free"]), median(times["constrained"])
    return {
        "free_seconds": free,
        "constrained_seconds": constrained,
        "ratio": constrained / free,
    }


def saved_by_force(model: qingyu.Model) -> dict[str, Any]:
    """Forward passes of tool calls with forced tokens taken at once, and one by one. The tokens
    have to be the same."""
    plan = ToolPlan.of(TOOLS, choice="required", parallel=False, template=model.template)
    grammar = plan.grammar(model.tokenizer)
    forced = sampled = 0
    for seed, question in enumerate(QUESTIONS * 3):
        messages, tools = plan.prompt([{"role": "user", "content": question}])
        asked: dict[str, Any] = {
            "tools": tools, "constraint": grammar, "speculate": False, "max_tokens": MAX_TOKENS,
            "temperature": 1.0, "seed": seed,
        }  # fmt: skip
        short = model.chat(messages, **asked).read()
        # With log-probabilities every token is computed.
        long = model.chat(messages, logprobs=0, **asked).read()
        assert short.tokens == long.tokens, "forced tokens changed the answer"
        forced += short.forward_passes
        sampled += long.forward_passes
    return {"forced": forced, "one_by_one": sampled, "share": 1 - forced / sampled}


if __name__ == "__main__":
    main()
