"""Writes the conversations of this recipe: train.jsonl to learn from, test.jsonl to be asked.

    python talks.py

No number of the test is in the training, written in that way: which of the two a number goes to
is decided by a hash of it. Of the test's sentences, half are known from training and half are new.
"""

from __future__ import annotations

import json
import random
import tomllib
import zlib
from pathlib import Path
from typing import Any

from spoken import KINDS, say

HERE = Path(__file__).parent
INSTRUCTION = "Write the numbers as figures. 把数字写成阿拉伯数字。"
TRAINING = 26_000
TEST_OF_A_KIND = 16  # half in known sentences, half in new ones


def is_for_testing(kind: str, written: str) -> bool:
    return zlib.crc32(f"{kind}:{written}".encode()) % 8 == 0


def talk(spoken: str, written: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": INSTRUCTION},
        {"role": "user", "content": spoken},
        {"role": "assistant", "content": written},
    ]


def draw_pair(
    sentences: list[str], language: str, kind: str, *, testing: bool, draw: random.Random
) -> tuple[str, str]:
    if kind == "same":
        sentence = draw.choice(sentences)
        return sentence, sentence
    while True:
        said = say(language, kind, draw)
        if is_for_testing(kind, said.written) == testing:
            sentence = draw.choice(sentences)
            return sentence.format(said.spoken), sentence.format(said.written)


def training(sentences: dict[str, Any]) -> list[list[dict[str, str]]]:
    draw = random.Random(1)
    talks = []
    for _ in range(TRAINING):
        language, kind = draw.choice(["zh", "en"]), draw.choice([*KINDS, "same"])
        known = sentences[language][kind]["known"]
        talks.append(talk(*draw_pair(known, language, kind, testing=False, draw=draw)))
    return talks


def testing(sentences: dict[str, Any]) -> list[dict[str, Any]]:
    draw = random.Random(2)
    cases: list[dict[str, Any]] = []
    for language in ("zh", "en"):
        for kind in (*KINDS, "same"):
            for where in ("known", "new"):
                if kind == "same":
                    pairs = [(one, one) for one in sentences[language][kind][where][:10]]
                else:
                    found: dict[str, str] = {}
                    while len(found) < TEST_OF_A_KIND // 2:
                        spoken, written = draw_pair(
                            sentences[language][kind][where],
                            language,
                            kind,
                            testing=True,
                            draw=draw,
                        )
                        found.setdefault(spoken, written)
                    pairs = list(found.items())
                cases += [
                    {"language": language, "kind": kind, "sentence": where, "messages": talk(*pair)}
                    for pair in pairs
                ]
    return cases


def write(path: Path, rows: list[Any]) -> None:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    print(f"{path.name}: {len(rows)}")


def main() -> None:
    sentences = tomllib.loads((HERE / "sentences.toml").read_text(encoding="utf-8"))
    write(HERE / "train.jsonl", [{"messages": one} for one in training(sentences)])
    write(HERE / "test.jsonl", testing(sentences))


if __name__ == "__main__":
    main()
