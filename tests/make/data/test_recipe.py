"""Recipes: every key checked, every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.errors import DataError
from qingyu.make.data.plan import make_plan
from qingyu.make.data.recipe import Recipe, read_recipe

WHOLE = """
name = "small"
tokenizer = "default"
seed = 3
languages = ["zh"]
traditional = "simplify"
[quality]
min_units = 20
max_symbols = 1
[duplicates]
near = false
[[source]]
kind = "html"
paths = ["pages/*.html"]
licence = "CC0-1.0"
repeat = 2
"""
LEAST = 'tokenizer = "x"\n[[source]]\nkind = "text"\npaths = ["a"]\nlicence = "MIT"\n'


def recipe(folder: Path, text: str) -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_all_of_it(tmp_path: Path) -> None:
    made = recipe(tmp_path, WHOLE)
    assert made.quality.min_units == 20
    assert made.quality.max_symbols == 1.0
    assert made.quality.max_digits == 0.3
    assert (made.seed, made.languages, made.duplicates.near) == (3, ("zh",), False)
    assert made.sources[0].repeat == 2
    assert recipe(tmp_path, LEAST).contamination == "check"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST.replace("licence", "license"), r"source\.license is no key.*did you mean licence"),
        ("seeds = 1\n" + LEAST, r"recipe\.toml: seeds is no key of a recipe"),
        (LEAST.replace('"text"', '"txt"'), r"source\.kind is 'txt'; it may be html"),
        (LEAST.replace('["a"]', "[]"), r"source\.paths is empty"),
        (LEAST.replace('["a"]', '"a"'), r"source\.paths is not a list"),
        (LEAST.replace('["a"]', "[1]"), r"source\.paths is 1, not of type str"),
        (LEAST + "repeat = true\n", r"source\.repeat is True, not of type int"),
        (LEAST + "repeat = 0\n", r"source\.repeat is not between"),
        (LEAST + 'package = "cargo:x"\n', r"source\.package is not one of debian:NAME"),
        ('languages = ["fr"]\n' + LEAST, "languages are among"),
        ("tokenizer = 'x'\n", "source is missing"),
        ("[[source]]\nkind='text'\npaths=['a']\nlicence='x'\n", "tokenizer is missing"),
        ("quality = 1\n" + LEAST, "quality. is not a table"),
        ("a = [", "is no TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        recipe(tmp_path, text)


def test_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_recipe(tmp_path / "none.toml")


def test_files_are_found_in_a_fixed_order(tmp_path: Path) -> None:
    made = recipe(tmp_path, LEAST.replace('["a"]', '["a", "b/*.txt", "b/c.txt"]'))
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for name in ("a/2.txt", "a/1.txt", "a/deep/3.txt", "b/c.txt", "b/no.md"):
        (tmp_path / name).write_text(name)
    plan = make_plan(made, tmp_path)
    names = [file.name for task in plan.tasks for file in task]
    assert names == ["a/1.txt", "a/2.txt", "a/deep/3.txt", "b/c.txt"]
    before = plan.fingerprint
    assert make_plan(made, tmp_path).fingerprint == before
    (tmp_path / "a" / "1.txt").write_text("other")
    assert make_plan(made, tmp_path).fingerprint != before
    with pytest.raises(DataError, match="names no file"):
        make_plan(recipe(tmp_path, LEAST.replace('"a"', '"none"')), tmp_path)
