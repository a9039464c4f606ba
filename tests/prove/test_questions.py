"""Reading questions: what is sound is read as it stands, what is not is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qingyu.errors import DataError, InvalidRequestError
from qingyu.prove import benchmarks, questions
from qingyu.prove.benchmarks import choose_subjects
from qingyu.prove.exam import Exam

CEVAL = benchmarks.find("ceval")
LAW = CEVAL.subjects["law"].counts["val"]


def law(tmp_path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """A folder whose law_val.csv has our lines, after a change."""
    folder = tmp_path / "ceval"
    (folder / "val").mkdir(parents=True)
    (folder / "dev").mkdir()
    lines = ["id,question,A,B,C,D,answer"]
    lines += [f"{number},问题{number},a,b,c,d,C" for number in range(LAW)]
    text = "\r\n".join(change(lines)) + "\r\n"
    (folder / "val" / "law_val.csv").write_bytes(text.encode())
    return folder


def read(folder: Path) -> tuple[questions.Question, ...]:
    return questions.read(folder, CEVAL, "val", ["law"])["law"]


def test_cells_keep_their_spaces_and_lose_their_carriage_returns(tmp_path: Path) -> None:
    odd = '0,"第一行\r\n第二行", a ,b,NA,3,C'
    first = read(law(tmp_path, lambda lines: [lines[0], odd, *lines[2:]]))[0]
    assert first.text == "第一行\n第二行"
    assert first.choices == (" a ", "b", "NA", "3")


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path: Path) -> None:
    folder = law(tmp_path, list)
    path = folder / "val" / "law_val.csv"
    before = questions.fingerprint({"law": read(folder)})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n"))
    assert questions.fingerprint({"law": read(folder)}) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], f"has {LAW - 1} questions, published are {LAW}"),
        (lambda lines: [*lines, lines[-1].replace(f"{LAW - 1},", f"{LAW},", 1)], "questions"),
        (lambda lines: [lines[0], lines[2], *lines[2:]], "one id"),
        (lambda lines: [*lines[:3], "2,问题,a,b,c", *lines[4:]], "row 3 does not have"),
        (lambda lines: [*lines[:3], lines[3] + ",x", *lines[4:]], "row 3 does not have"),
        (lambda lines: [*lines[:3], lines[3][:-1] + "E", *lines[4:]], "row 3 has the answer 'E'"),
        (lambda lines: [*lines[:3], "x" + lines[3], *lines[4:]], "row 3 has the id 'x2'"),
    ],
)
def test_damage_is_named(
    tmp_path: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(law(tmp_path, change))
    assert "law_val.csv" in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    folder = law(tmp_path, list)
    (folder / "val" / "law_val.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no CSV in UTF-8"):
        read(folder)
    (folder / "val" / "law_val.csv").unlink()
    with pytest.raises(DataError, match="law_val"):
        read(folder)


def test_the_folder_is_looked_for(tmp_path: Path, made_up_data: Path) -> None:
    found = questions.find_folder(CEVAL, made_up_data)
    assert found == questions.find_folder(CEVAL, found)
    with pytest.raises(DataError, match="qingyu pull ceval"):
        questions.find_folder(CEVAL, tmp_path)
    with pytest.raises(DataError, match="qingyu pull ceval"):
        questions.find_folder(CEVAL, None)


def test_subjects_by_name_category_and_chinese() -> None:
    assert choose_subjects(CEVAL, None) == tuple(CEVAL.subjects)
    assert choose_subjects(CEVAL, "logic, 法学 ,law") == tuple(
        one for one in CEVAL.subjects if one in ("law", "logic")
    )
    assert set(choose_subjects(CEVAL, "hard")) == set(CEVAL.groups["Hard"])
    assert len(choose_subjects(CEVAL, "STEM,social science")) == 30
    with pytest.raises(InvalidRequestError, match="law"):
        choose_subjects(CEVAL, "lwa")
    with pytest.raises(InvalidRequestError, match="no subject"):
        choose_subjects(CEVAL, " , ")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"benchmark": "mmlu"}, "ceval and cmmlu"),
        ({"split": "train"}, "val, test"),
        ({"shots": 6}, "0 to 5"),
        ({"shots": -1}, "0 to 5"),
        ({"protocol": "mine"}, "official, harness"),
        ({"method": "guess"}, "logits, generate, cot"),
        ({"limit": 0}, "at least 1"),
        ({"sample": 0.0}, "above 0"),
        ({"protocol": "harness", "method": "cot"}, "logits only"),
    ],
)
def test_settings_that_cannot_be(
    made_up_data: Path, values: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        Exam.prepare(**{"benchmark": "ceval", "data": made_up_data, **values})  # type: ignore[arg-type]


def test_a_split_without_key_is_not_scored(made_up_data: Path) -> None:
    exam = Exam.prepare(benchmark="ceval", split="test", subjects="law", data=made_up_data)
    assert not exam.has_answers
    with pytest.raises(DataError, match="--submission"):
        exam.require_answers()
    Exam.prepare(benchmark="ceval", subjects="law", data=made_up_data).require_answers()


def test_a_sample_is_of_every_subject_and_always_the_same(made_up_data: Path) -> None:
    whole = Exam.prepare(benchmark="ceval", data=made_up_data)
    fifth = Exam.prepare(benchmark="ceval", data=made_up_data, sample=0.2)
    for subject, rows in whole.questions.items():
        chosen = fifth.questions[subject]
        assert len(chosen) == -(-len(rows) // 5)
        assert [one for one in rows if one in chosen] == list(chosen)
    assert fifth.identity["sample"] == 0.2
    assert "sample" not in whole.identity
    again = Exam.prepare(benchmark="ceval", data=made_up_data, sample=0.2, shots=5)
    assert again.questions == fifth.questions
    half = Exam.prepare(benchmark="ceval", data=made_up_data, sample=0.5)
    assert all(set(fifth.questions[one]) <= set(half.questions[one]) for one in half.questions)
