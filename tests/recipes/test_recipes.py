"""Every recipe is one that the program reads; what their scripts make is right."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from qingyu.make.data.recipe import read_recipe as read_data
from qingyu.make.training.recipe import read_recipe as read_training

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
FILES = sorted(RECIPES.glob("*/*.toml"))


@pytest.fixture
def module(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """A script of a recipe, by its path: "tune_135m/talks.py"."""
    path = RECIPES / request.param
    known = set(sys.modules)
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(f"recipe_{path.parent.name}", path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = loaded
        spec.loader.exec_module(loaded)
        yield loaded
    finally:
        sys.path.remove(str(path.parent))
        for name in set(sys.modules) - known:
            del sys.modules[name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_recipes_are_read(path: Path) -> None:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if "source" in table:
        assert read_data(path).sources
    elif "run" in table:
        assert read_training(path).steps > 0
    else:
        assert set(table) <= {"zh", "en", "talk"}, "neither data nor training"


READINGS = [
    (0, "零", "zero", ""),
    (7, "七", "seven", "seventh"),
    (10, "十", "ten", "tenth"),
    (12, "十二", "twelve", "twelfth"),
    (20, "二十", "twenty", "twentieth"),
    (101, "一百零一", "one hundred and one", "one hundred and first"),
    (110, "一百一十", "one hundred and ten", "one hundred and tenth"),
    (2005, "二千零五", "two thousand and five", "two thousand and fifth"),
    (2200, "二千二百", "two thousand two hundred", "two thousand two hundredth"),
    (10_010, "一万零一十", "ten thousand and ten", "ten thousand and tenth"),
    (30_050, "三万零五十", "thirty thousand and fifty", "thirty thousand and fiftieth"),
    (115_000, "十一万五千", "one hundred and fifteen thousand", ""),
    (2_000_000, "二百万", "two million", "two millionth"),
]


@pytest.mark.parametrize("module", ["tune_135m/spoken.py"], indirect=True)
def test_numbers_are_read_as_people_do(module: ModuleType) -> None:
    for number, chinese, english, ordinal in READINGS:
        assert module.chinese(number) == chinese
        assert module.english(number) == english
        if ordinal:
            assert module.english_ordinal(number) == ordinal
    assert module.chinese(22_222, two="两") == "两万两千两百二十二"
    assert module.english(101, joined=False) == "one hundred one"
    assert [module.suffix(one) for one in (1, 2, 3, 4, 11, 12, 13, 21, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th"
    ]  # fmt: skip


@pytest.mark.parametrize("module", ["tune_135m/spoken.py"], indirect=True)
def test_what_is_said_is_what_is_written(module: ModuleType) -> None:
    """Read back by rules of its own: figures out of words."""
    draw = random.Random(3)
    for _ in range(400):
        said = module.say("zh", "digits", draw)
        figures = said.spoken.replace("幺", "一")
        assert "".join(str("零一二三四五六七八九".index(one)) for one in figures) == said.written
        said = module.say("zh", "percent", draw)
        assert int(said.written[:-1]) == from_chinese(said.spoken.removeprefix("百分之"))
        said = module.say("zh", "integer", draw)
        assert int(said.written) == from_chinese(said.spoken)
        said = module.say("en", "time", draw)
        assert minutes(said.spoken) == said.written
        said = module.say("en", "fraction", draw)
        above, below = map(int, said.written.split("/"))
        assert 0 < above < below
        assert said.spoken.endswith("s") == (above > 1)


def from_chinese(text: str) -> int:
    total = part = digit = 0
    for one in text.replace("两", "二"):
        if one == "万":
            total, part, digit = (total + part + digit) * 10_000, 0, 0
        elif one in "十百千":
            part += (digit or 1) * 10 ** ("十百千".index(one) + 1)
            digit = 0
        else:
            digit = "零一二三四五六七八九".index(one)
    return total + part + digit


def minutes(text: str) -> str:
    names = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ]
    values = {name: value for value, name in enumerate(names)}
    values |= {"thirty": 30, "forty": 40, "fifty": 50, "quarter": 15, "half": 30, "oh": 0}
    tail = ""
    for part in (" in the morning", " in the evening"):
        if text.endswith(part):
            text, tail = text.removesuffix(part), part
    words = text.split()
    if words[-1] == "o'clock":
        hour, minute = values[words[0]], 0
    elif "past" in words or "to" in words:
        hour, minute = values[words[-1]], sum(values[one] for one in words[:-2])
        if "to" in words:
            hour, minute = (hour - 2) % 12 + 1, 60 - minute
    else:
        hour, minute = values[words[0]], sum(values[one] for one in words[1:])
    return f"{hour}:{minute:02}{tail}"


@pytest.mark.parametrize("module", ["tune_135m/talks.py"], indirect=True)
def test_no_number_of_the_test_is_trained_on(module: ModuleType) -> None:
    sentences = tomllib.loads((RECIPES / "tune_135m" / "sentences.toml").read_text("utf-8"))
    trained = {one[1]["content"] for one in module.training(sentences)}
    cases = module.testing(sentences)
    assert len(cases) == 392
    for case in cases:
        _, user, assistant = case["messages"]
        if case["kind"] == "same":
            assert user["content"] == assistant["content"]
            assert (user["content"] in trained) == (case["sentence"] == "known")
        else:
            assert user["content"] not in trained
            assert user["content"] != assistant["content"]


WORDNET = {
    "index.noun": "  licence\nlamp n 2 1 @ 2 1 00000010 00000011\nrare_bird n 1 0 1 1 00000012\n",
    "data.noun": '  licence\n00000010 06 n 01 lamp 0 000 | a source of light; "the lamp is on"  \n',
    "index.verb": "run v 3 2 @ ~ 3 3 00000020 00000021 00000022\n",
    "data.verb": '00000020 38 v 01 run 0 000 01 + 02 00 | move fast; "Don\'t run"; "he ran"\n',
    "index.adj": "rare a 1 0 1 0 00000030\n",
    "data.adj": "00000030 00 a 01 rare 0 000 | not common\n",
    "index.adv": "",
    "data.adv": "",
}


@pytest.mark.parametrize("module", ["whisper_15m/talks.py"], indirect=True)
def test_words_poems_and_commands_are_found(module: ModuleType, tmp_path: Path) -> None:
    for name, text in WORDNET.items():
        (tmp_path / name).write_text(text)
    assert list(module.words(tmp_path)) == [
        ("run", "verb", "move fast", ["Don't run", "he ran"]),
        ("lamp", "noun", "a source of light", ["the lamp is on"]),
    ]
    poem = "\x1b[32m《静夜思》\x1b[m\n\x1b[33m作者：李白\x1b[m\n床前明月光，疑是地上霜。\n"
    poem += "%\n不是诗\n%\n"
    (tmp_path / "tang300").write_text(poem, encoding="utf-8")
    (tmp_path / "song100").write_text("", encoding="utf-8")
    assert list(module.poems(tmp_path)) == [("静夜思", "李白", "床前明月光，疑是地上霜。")]
    (tmp_path / "man1").mkdir()
    page = '.TH LS 1\n.SH NAME\nls \\- 列出目录内容\n.SH "DESCRIPTION"\n'
    (tmp_path / "man1" / "ls.1.gz").write_bytes(gzip.compress(page.encode()))
    assert list(module.commands(tmp_path)) == [("ls", "列出目录内容")]


def test_small_talk_has_one_answer_to_a_question() -> None:
    table = tomllib.loads((RECIPES / "whisper_15m" / "talk.toml").read_text("utf-8"))
    asked = [ask for one in table["talk"] for ask in one["ask"]]
    assert len(asked) == len(set(asked)) > 150
    json.dumps(table)
