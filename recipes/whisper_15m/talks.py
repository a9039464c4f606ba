"""Writes what the packages do not hold in the right form: words.jsonl, poems.jsonl, talks.jsonl.

    python talks.py            # fetches debian:wordnet-base, debian:fortunes-zh, debian:manpages-zh

words.jsonl: WordNet's explanations and examples of common words, as running text. poems.jsonl: Tang
and Song poems without the terminal's colours. talks.jsonl: conversations: the small talk of
talk.toml, what words and commands mean, poems by title.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qingyu.make.data.packages import fetch, folder_of

HERE = Path(__file__).parent
SMALL_TALK = 40  # how often each way of asking goes in
WORDS = 3000  # that are asked about


def files_of(spec: str) -> Path:
    fetch(spec)
    return folder_of(spec) / "files"


def words(folder: Path) -> Iterator[tuple[str, str, str, list[str]]]:
    """(word, noun | verb | adj | adv, explanation, examples) of the words that WordNet's authors
    met in texts, those with many senses first: they are the common ones."""
    found = []
    glosses: dict[tuple[str, str], str] = {}
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"index.{kind}").read_text(encoding="latin-1").splitlines():
            if line.startswith(" "):  # the licence
                continue
            word, _, count, pointers, *rest = line.split()
            met = int(rest[int(pointers) + 1])
            if met and word.isalpha():
                found.append((-met, word, kind, rest[int(pointers) + 2]))
            assert len(rest) == int(pointers) + 2 + int(count), line
        for line in (folder / f"data.{kind}").read_text(encoding="latin-1").splitlines():
            head, _, gloss = line.partition(" | ")
            if head[:8].isdigit():
                glosses[kind, head[:8]] = gloss.strip()
    for _, word, kind, place in sorted(found):
        parts = glosses[kind, place].split("; ")
        meaning = "; ".join(one for one in parts if not one.startswith('"'))
        examples = [one.strip('" ') for one in parts if one.startswith('"')]
        if meaning:
            yield word, kind, meaning, examples


def sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")


def poems(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(title, author, lines)."""
    for path in (folder / "tang300", folder / "song100"):
        text = re.sub(r"\x1b\[[0-9;]*m", "", path.read_text(encoding="utf-8"))
        for poem in text.split("\n%"):
            found = re.match(r"\s*《(.+?)》\s*\n作者：(\S+)\s*\n(.+)", poem, re.DOTALL)
            if found:
                title, author, lines = found.groups()
                yield title, author, lines.strip()


def commands(folder: Path) -> Iterator[tuple[str, str]]:
    """(command, what it does), of Chinese manual pages."""
    for path in sorted(folder.glob("man[18]/*.gz")):
        text = gzip.decompress(path.read_bytes()).decode("utf-8", errors="replace")
        found = re.search(
            r'^\.SH\s+"?(?:NAME|名称|名字|NAME\(名称\))"?\s*\n(?:\.\w.*\n)*(.+)', text, re.MULTILINE
        )
        if not found:
            continue
        line = re.sub(r"\\f.|\\s-?\d|\\&|\"", "", found[1]).replace("\\-", "-")
        name, _, about = line.partition(" - ")
        if re.fullmatch(r"[a-z0-9.+-]{1,16}", name.strip()) and re.search(
            r"[\u4e00-\u9fff]{3}", about
        ):
            yield name.strip(), about.strip().rstrip("。.")


def talk(*lines: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": line} for i, line in enumerate(lines)]}


def main() -> None:
    draw = random.Random(0)
    talks: list[dict[str, Any]] = []

    small = tomllib.loads((HERE / "talk.toml").read_text(encoding="utf-8"))["talk"]
    pairs = [(ask, one["answer"]) for one in small for ask in one["ask"]]
    for pair in pairs * SMALL_TALK:
        lines = list(pair)
        while draw.random() < 0.4:  # a conversation has more than one turn
            lines += draw.choice(pairs)
        talks.append(talk(*lines))

    entries = list(words(files_of("debian:wordnet-base") / "usr" / "share" / "wordnet"))
    articles = []
    for start in range(0, len(entries), 12):
        paragraphs = [
            " ".join(
                [f"{word.capitalize()} ({kind}): {sentence(meaning)}", *map(sentence, examples)]
            )
            for word, kind, meaning, examples in entries[start : start + 12]
        ]
        articles.append({"text": "\n\n".join(paragraphs)})
    for word, kind, meaning, _ in entries[:WORDS]:
        ask = draw.choice(["What does {} mean?", "what does {} mean", "What is the meaning of {}?"])
        to = "to " if kind == "verb" and not meaning.startswith("to ") else ""
        talks.append(talk(ask.format(word), sentence(f"{word} means {to}{meaning}")))

    found = list(poems(files_of("debian:fortunes-zh") / "usr" / "share" / "games" / "fortunes"))
    verses = [{"text": f"{title}\n{author}\n\n{lines}"} for title, author, lines in found]
    for title, author, lines in found:
        if len(lines) < 100:
            ask = draw.choice(["背一下《{}》", "请背诵《{}》", "《{}》怎么背"])
            talks.append(talk(ask.format(title), f"《{title}》，{author}：\n{lines}"))
        talks.append(talk(f"《{title}》是谁写的", f"《{title}》是{author}写的。"))

    for name, about in commands(files_of("debian:manpages-zh") / "usr" / "share" / "man" / "zh_CN"):
        ask = draw.choice(["{}命令是做什么的", "{} 是什么命令", "{}有什么用"])
        talks.append(talk(ask.format(name), f"{name}：{about}。"))

    draw.shuffle(talks)
    for name, rows in (("words", articles), ("poems", verses), ("talks", talks)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (HERE / f"{name}.jsonl").write_text(text, encoding="utf-8")
        print(f"{name}.jsonl: {len(rows)} rows, {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
