"""The report: what it says, what it never says, and that strangers' text stays text."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from qingyu.errors import InvalidRequestError
from qingyu.prove.report import MAX_RESULTS, Report, write_report
from qingyu.prove.results import Result
from qingyu.text import use
from serve.browser import launched
from tests.prove.made_results import made

HOSTILE = "=cmd|' /C calc'!A0 <img src=//evil.example onerror=alert(1)> | [x](http://evil.example)"
BIDI = "\u202eexe.gguf\x1b[31m\x00\ud800"


class Tags(HTMLParser):
    """Every start tag with its attributes, and all text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*results: Result) -> str:
    return Report.of(results).html()


def test_a_good_result_has_its_number_its_setting_and_its_error() -> None:
    result = made("good", skill=0.6)
    text = Tags(page(result)).text
    scores = result.scores
    assert f"{scores.macro:.1f} ± {scores.standard_error:.1f}%" in text
    assert f"always answering {scores.guessing_letter}" in text
    assert "C-Eval val, 5-shot, official, logits" in text
    assert "not distinguishable" not in text
    assert "of 59 (58 recorded rows" in text


def test_guessing_is_called_guessing() -> None:
    result = made("guesser", skill=0.0)
    assert not result.scores.beats_guessing
    report = Report.of([result])
    (run,) = report.runs
    assert run.headline == "not distinguishable from guessing"
    source = report.html()
    assert re.search(r'class="headline flat">not distinguishable from guessing<', source)
    use("zh")
    assert "与猜测无法区分" in report.html()


def test_worse_than_any_letter_is_called_that() -> None:
    said = "worse than any single letter would be"
    guesser = made("guesser", skill=0.0)
    assert said not in " ".join(Report.of([guesser]).facts_of(Report.of([guesser]).runs[0]))
    letters = "ABCDA"
    answers = tuple(
        replace(one, choice=letters[letters.index(key) + 1])
        for one, key in zip(guesser.answers, guesser.keys, strict=True)
    )
    report = Report.of([replace(guesser, answers=answers)])
    assert said in " ".join(report.facts_of(report.runs[0]))


def test_one_letter_for_every_answer_is_guessing_not_worse() -> None:
    guesser = made("guesser", skill=0.0)
    for letter in "ABCD":
        answers = tuple(replace(one, choice=letter) for one in guesser.answers)
        report = Report.of([replace(guesser, answers=answers)])
        assert report.runs[0].headline == "not distinguishable from guessing"
        assert "worse" not in " ".join(report.facts_of(report.runs[0]))


def test_what_was_left_out_is_said() -> None:
    text = Tags(page(made(unparsed=3, dropped=2, subjects=4))).text
    assert "not the whole benchmark: 96 of 1,346 questions, 4 of 52 subjects" in text
    assert "no letter could be read in 3 of 96 answers; they count as wrong" in text
    assert "2 prompts did not fit with all their examples; 4 examples were left out" in text
    assert "recorded rows" not in text  # a part has no rank
    result = made(subjects=1)
    cut = replace(result, answers=(replace(result.answers[0], cut=True), *result.answers[1:]))
    assert "1 answers reached the length limit and were cut" in Tags(page(cut)).text


def test_an_answered_split_without_a_key_is_shown_without_a_score(tmp_path: Path) -> None:
    report = Report.of([made(split="test", keyed=False, subjects=2)])
    text = Tags(report.html()).text
    assert "answered, not scored: the test split has no key in this data" in text
    assert [one.name for one in report.all_pictures()] == ["speed"]
    assert [one.name for one in report.write(tmp_path)] == [
        *("report.html", "report.md", "subjects.csv", "answers.csv"),
        *("speed.svg", "speed.png"),
    ]


def test_two_results_on_the_same_questions_are_compared() -> None:
    report = Report.of([made("one", skill=0.3), made("two", skill=0.7, seed=3)])
    text = Tags(report.html()).text
    assert "The second is better: +" in text
    assert "answers changed" in text
    assert [one.name for one in report.all_pictures()] == [
        *("ceval-categories", "ceval-subjects", "ceval-calibration"),
        *("ceval-differences", "speed"),
    ]


def test_results_of_other_questions_stand_side_by_side() -> None:
    report = Report.of(
        [made("one"), made("two", split="test"), made("three", benchmark="cmmlu", split="test")]
    )
    assert [len(one.pairs) for one in report.sections] == [0, 0]
    assert len(report.sections[0].baselines()) == 2
    assert "China specific" in Tags(report.html()).text


def test_the_same_name_is_told_apart() -> None:
    def labels(*results: Result) -> list[str]:
        return [run.label for run in Report.of(results).runs]

    assert labels(made("m"), made("m", shots=0)) == ["m · 5-shot", "m · 0-shot"]
    assert labels(made("m"), made("m", types={"Q8_0": 9})) == ["m · Q4_1", "m · Q8_0"]
    assert labels(made("m"), made("m", activation_bits=16)) == [
        "m · 8-bit activations",
        "m · 16-bit activations",
    ]
    assert labels(made("m"), made("m"), made("n")) == ["m (1)", "m (2)", "n"]


def test_a_report_is_the_same_every_time(tmp_path: Path) -> None:
    results = [made("one", subjects=3), made("two", subjects=3, seed=2)]
    for folder in ("a", "b"):
        write_report(results, tmp_path / folder)
    names = sorted(one.name for one in (tmp_path / "a").iterdir())
    assert len(names) == 4 + 2 * 5
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_strangers_text_stays_text(tmp_path: Path) -> None:
    hostile: dict[str, Any] = {
        "sha256": "<script>alert(1)</script>",
        "types": {"<b>": 3, "{{ 7*7 }}": 4},
        "bytes": "1e9",
        "parameters": float("nan"),
        "family": None,
    }
    first = made(HOSTILE, subjects=4, **hostile)
    second = made(BIDI, subjects=4, seed=2, **hostile)
    second = replace(second, time={"seconds": "<i>", "questions_per_second": []}, version="<u>")
    paths = write_report([first, second], tmp_path)
    tags = Tags(paths[0].read_text(encoding="utf-8"))
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "img", "a", "b", "i", "u", "iframe", "object", "link", "form"}
    for tag, attributes in tags.found:
        assert not any(name.startswith("on") for name in attributes), tag
        assert attributes.get("href", "#").startswith("#"), tag  # type: ignore[union-attr]
        assert "src" not in attributes
    assert "{{ 7*7 }}" in tags.text
    assert "<script>" in tags.text
    for path in paths:
        if path.suffix != ".png":
            content = path.read_text(encoding="utf-8")
            assert not re.search("[\x00\x1b\u202e]", content), path
    markdown = paths[1].read_text(encoding="utf-8")
    assert "<img" not in markdown.replace("\\<img", "")
    assert "[x](" not in markdown
    assert "http://" not in markdown


def test_markdown_shows_the_pictures_and_the_tables(tmp_path: Path) -> None:
    write_report([made("one | two", subjects=4)], tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert shown
    assert all((tmp_path / name).is_file() for name in shown)
    rows = [re.findall(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 15
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_csv_has_every_answer_and_no_formula(tmp_path: Path) -> None:
    result = made("=1+1", subjects=4, unparsed=1)
    write_report([result], tmp_path)
    rows = {}
    for name in ("answers", "subjects"):
        content = (tmp_path / f"{name}.csv").read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        rows[name] = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows["answers"]) == 96
    assert {row["run"] for row in rows["answers"]} == {"'=1+1"}
    assert sum(int(row["correct"]) for row in rows["answers"]) == sum(
        int(row["correct"]) for row in rows["subjects"]
    )
    assert rows["answers"][0]["choice"] == ""
    for row in rows["answers"]:
        assert sum(float(row[f"p_{letter}"]) for letter in "abcd") == pytest.approx(1, abs=1e-5)
    assert float(rows["subjects"][0]["accuracy"]) == pytest.approx(
        result.scores.subjects["computer_network"].accuracy, abs=1e-3
    )


def test_too_many_results_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="9 results; a report shows 1 to 8"):
        Report.of([made(subjects=1)] * (MAX_RESULTS + 1))
    with pytest.raises(InvalidRequestError):
        Report.of([])
    assert Report.of([made(subjects=1)] * MAX_RESULTS).html()


_FACTS = """() => {
  const root = document.documentElement;
  const shown = (one) => one.offsetParent !== null || getComputedStyle(one).display !== 'none';
  return {
    overflow: root.scrollWidth - innerWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    wide: shown(document.querySelector('.wide')),
    narrow: shown(document.querySelector('.narrow')),
    ink: getComputedStyle(document.querySelector('figure svg text')).fill,
    cut: [...document.querySelectorAll('figure div')].filter(shown).flatMap((box) => {
      const edge = box.getBoundingClientRect();
      return [...box.querySelectorAll('text')].filter((one) => {
        const place = one.getBoundingClientRect();
        return place.left < edge.left - 1 || place.right > edge.right + 1;
      }).map((one) => one.textContent);
    }),
  };
}"""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_a_browser_it_asks_for_nothing(language: str, tmp_path: Path) -> None:
    use(language)
    path, *_ = write_report(
        [made("one <b>", skill=0.5), made("轻语 1.3B", skill=0.4, seed=2)], tmp_path / "only"
    )
    alone = tmp_path / "alone" / "page.html"  # without the files beside it
    alone.parent.mkdir()
    path.rename(alone)
    papers = set()
    with launched() as browser:
        for width, scheme in ((1200, "light"), (360, "dark"), (360, "light"), (1200, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
                java_script_enabled=True,
            )
            tab = context.new_page()
            requests: list[str] = []
            said: list[str] = []
            tab.on("request", lambda request, seen=requests: seen.append(request.url))
            tab.on("console", lambda message, seen=said: seen.append(message.text))
            tab.on("pageerror", lambda error, seen=said: seen.append(str(error)))
            tab.goto(alone.as_uri())
            found = tab.evaluate(_FACTS)
            assert requests == [alone.as_uri()]
            assert said == []
            assert found["overflow"] <= 0
            assert (found["wide"], found["narrow"]) == (width > 640, width <= 640)
            assert found["cut"] == []
            papers.add((scheme, found["paper"], found["ink"]))
            tab.emulate_media(media="print")
            printed = tab.evaluate(_FACTS)
            assert printed["paper"] == "rgb(255, 255, 254)"  # dark ink on light paper
            assert printed["wide"]
            assert not printed["narrow"]
            context.close()
    assert len(papers) == 2
