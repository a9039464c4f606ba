"""Asks models the test, and prints how many answers are right to the letter.

    python score.py default default+examples tuned.gguf

`MODEL+examples` puts four solved sentences before each question: what a person would do who
does not train. Writes score.json; an answer is right when it is the written sentence and no more.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import qingyu

HERE = Path(__file__).parent
EXAMPLES = (
    ("把客厅的灯调到百分之三十", "把客厅的灯调到30%"),
    ("我们明天早上七点一刻出发", "我们明天早上7:15出发"),
    ("it takes two and a half hours to get there", "it takes 2.5 hours to get there"),
    ("come in and sit down", "come in and sit down"),
)


def ask(name: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    file, _, extra = name.partition("+")
    answers = []
    with qingyu.load(file) as model:
        for case in cases:
            *messages, wanted = case["messages"]
            if extra:
                shown = [
                    {"role": role, "content": text}
                    for pair in EXAMPLES
                    for role, text in zip(("user", "assistant"), pair, strict=True)
                ]
                messages[1:1] = shown
            text = "".join(model.chat(messages, temperature=0, max_tokens=96)).strip()
            answers.append(case | {"answer": text, "right": text == wanted["content"]})
    return answers


def share(answers: list[dict[str, Any]], **where: str) -> str:
    chosen = [one for one in answers if all(one[key] == value for key, value in where.items())]
    return f"{100 * sum(one['right'] for one in chosen) / len(chosen):.1f}"


def main() -> None:
    lines = (HERE / "test.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    results = {name: ask(name, cases) for name in sys.argv[1:] or ["default"]}
    print("| | n |", " | ".join(results), "|")
    print("|---|---:|" + "---:|" * len(results))
    rows: list[tuple[str, dict[str, str]]] = [("all", {})]
    for language in ("zh", "en"):
        for where in ("known", "new"):
            title = f"{language}, new numbers in {where} sentences"
            rows.append((title, {"language": language, "sentence": where}))
    for kind in dict.fromkeys(case["kind"] for case in cases):
        rows.append((kind if kind != "same" else "nothing to change", {"kind": kind}))
    for title, where in rows:
        count = sum(all(case[key] == value for key, value in where.items()) for case in cases)
        print(
            f"| {title} | {count} |", " | ".join(share(a, **where) for a in results.values()), "|"
        )
    for name, answers in results.items():
        wrong = [one for one in answers if not one["right"]]
        print(f"\n{name}: {len(wrong)} wrong;", dict(Counter(one["kind"] for one in wrong)))
        for one in wrong[:8]:
            *_, user, wanted = one["messages"]
            print(f"  {user['content']} -> {one['answer']!r}, not {wanted['content']!r}")
    text = json.dumps(results, ensure_ascii=False, indent=1)
    (HERE / "score.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
