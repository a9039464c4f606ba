"""Two results question by question: what is counted, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qingyu.errors import JournalError
from qingyu.prove import wording
from qingyu.prove.pairs import Pair, read
from tests.prove.made_results import made


def test_flips_by_subject_add_up() -> None:
    pair = Pair.of(made(skill=0.5), made(skill=0.7, seed=2, unparsed=30))
    found = pair.comparison
    assert sum(one.all for one in pair.flips.values()) == found.flips
    assert sum(one.gained for one in pair.flips.values()) == found.gained
    assert sum(one.lost for one in pair.flips.values()) == found.lost
    counts = [pair.flips[one].all for one in pair.most_changed]
    assert counts == sorted(counts, reverse=True)
    assert sum(found.letters.values()) == found.flips


def test_the_same_run_twice() -> None:
    pair = Pair.of(made(), made())
    assert pair.flips == {}
    assert wording.difference(pair) == "every answer is the same"


def test_a_difference_is_only_called_one_when_it_is() -> None:
    near = Pair.of(made(skill=0.5), made(skill=0.5, seed=2))
    assert wording.difference(near).startswith("no difference beyond chance: ")
    far = Pair.of(made(skill=0.2), made(skill=0.8, seed=9))
    assert wording.difference(far).startswith("the second is better: +")
    assert "McNemar p < 0.001" in wording.difference(far)
    back = Pair.of(made(skill=0.8, seed=9), made(skill=0.2))
    assert wording.difference(back).startswith("the second is worse: -")


def test_other_shots_pair_and_say_so() -> None:
    pair = Pair.of(made(shots=0), made(shots=5))
    assert pair.settings_differ == ("shots",)
    assert wording.settings_warning(pair) == "not only the models differ: shots 0 against shots 5"
    assert wording.settings_warning(Pair.of(made(), made())) == ""


def test_other_questions_are_refused() -> None:
    with pytest.raises(JournalError, match="differ in split, questions, data_sha256; the first is"):
        Pair.of(made(), made(split="test"))
    with pytest.raises(JournalError, match="benchmark"):
        Pair.of(made(split="test"), made(benchmark="cmmlu", split="test"))
    with pytest.raises(JournalError, match="differ in questions, data_sha256"):
        Pair.of(made(), made(subjects=3))


def test_results_that_only_claim_to_be_alike_are_refused() -> None:
    first = made()
    shorter = replace(first, answers=first.answers[:-1], keys=first.keys[:-1])
    with pytest.raises(JournalError, match="answers"):
        Pair.of(first, shorter)
    twice = replace(first, answers=(*first.answers[:-1], first.answers[0]))
    with pytest.raises(JournalError, match="answers"):
        Pair.of(twice, twice)
    rekeyed = replace(first, keys=("A" if first.keys[0] != "A" else "B", *first.keys[1:]))
    with pytest.raises(JournalError, match="differ in key"):
        Pair.of(first, rekeyed)


def test_without_a_key_there_is_nothing_to_compare() -> None:
    silent = made(split="test", keyed=False, subjects=3)
    with pytest.raises(JournalError, match="no key to score by"):
        Pair.of(silent, silent)


@pytest.mark.parametrize(
    ("where", "value", "named"),
    [
        (("exam", "split"), "train", "'train'"),
        (("exam", "split"), [1], r"\[1\]"),
        (("answers", 0, "id"), "=1+1", "'=1\\+1'"),
        (("answers", 0, "prompt_tokens"), None, "computer_network 0"),
    ],
)
def test_files_that_cannot_be_shown_are_named(
    tmp_path: Path, where: tuple[str | int, ...], value: object, named: str
) -> None:
    path = made(subjects=1).write(tmp_path)
    fields = json.loads(path.read_text())
    place = fields
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    path.write_text(json.dumps(fields))
    with pytest.raises(JournalError, match=f"is no result of qingyu eval.*{named}"):
        read([tmp_path])
    assert str(path.parent)
