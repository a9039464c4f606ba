"""The report's pictures: the same bytes every time, no stranger's markup, readable colours."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from qingyu.prove import charts, pictures
from qingyu.prove.charts import Baseline, Flips, Name, Neighbour, Point, Row
from qingyu.prove.uncertainty import calibration
from qingyu.text import use
from tests.prove.made_results import made

HOSTILE = "轻 $\\frac{x}$ --> <script>alert(1)</script> & \"'"
RUNS = [Name(HOSTILE, 0), Name("other", 3)]
POINT = Point(value=30.0, low=20.0, high=45.0)
ROWS = [
    Row(label="Law 法学", points=[POINT, None]),
    Row(label="Logic", points=[POINT, Point(value=0, low=0, high=0)]),
]
BASELINES = [Baseline(label="always answering D: 26.6%", value=26.6)]


def draw_calibration(width: float) -> Figure:
    results = [made(skill=0.5), made(skill=0.0, seed=4)]
    found = [calibration(one.answers, one.keys) for one in results]
    return charts.calibration(found, runs=RUNS, width=width)


DRAWINGS: dict[str, Callable[[float], Figure]] = {
    "categories": lambda width: charts.categories(
        ROWS,
        runs=RUNS,
        neighbours=[Neighbour(label="N" * 90, values={"Logic": 40.0, "elsewhere": 1.0})],
        baselines=BASELINES,
        width=width,
    ),
    "subjects": lambda width: charts.subjects(ROWS, runs=RUNS, baselines=BASELINES, width=width),
    "calibration": draw_calibration,
    "differences": lambda width: charts.differences(
        [
            Flips(label="Law", gained=3, lost=1, other=2),
            Flips(label="Logic", gained=0, lost=0, other=1),
        ],
        width=width,
    ),
    "speed": lambda width: charts.speed([12.5, None], runs=RUNS, width=width),
}
each = pytest.mark.parametrize("name", DRAWINGS)
widths = pytest.mark.parametrize("width", [pictures.WIDE, pictures.NARROW])


@each
@widths
def test_the_same_bytes_every_time(name: str, width: float) -> None:
    def made_twice(write: Callable[[Figure], str | bytes]) -> list[str | bytes]:
        with pictures.style():
            return [write(DRAWINGS[name](width)) for _ in range(2)]

    for write in (pictures.svg, pictures.png):
        first, second = made_twice(write)
        assert first == second
    assert made_twice(pictures.png)[0][:4] == b"\x89PNG"


@each
@widths
def test_strangers_text_is_text_and_nothing_is_outside(name: str, width: float) -> None:
    with pictures.style():
        alone = pictures.svg(DRAWINGS[name](width))
        inside = pictures.inline(DRAWINGS[name](width), "p", 'a "title" <b>')
    for source in (alone, inside):
        root = ElementTree.fromstring(source.replace(' href="#', ' data-href="#'))
        tags = {one.tag.rpartition("}")[2] for one in root.iter()}
        assert "script" not in tags
        assert not tags & {"image", "foreignObject", "a", "b"}
        # Addresses are names of kinds only; nothing is fetched.
        outside = source.replace("http://www.w3.org/", "")
        assert "http" not in outside
        assert "date" not in outside.lower().split("<g")[0]
    if name != "differences":
        text = "".join(ElementTree.fromstring(alone).itertext())
        assert "轻" in text or width == pictures.NARROW


@each
def test_an_inline_picture_has_its_own_ids_and_the_page_s_colours(name: str) -> None:
    with pictures.style():
        source = pictures.inline(DRAWINGS[name](pictures.WIDE), "mine", "title")
    root = ElementTree.fromstring(source)
    ids = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))
    assert all(one.startswith("mine-") for one in ids)
    assert "<style" not in source
    styles = " ".join(one.attrib.get("style", "") for one in root.iter())
    assert "#" not in styles.replace("url(#", "")
    assert "var(--ink)" in styles
    assert root.attrib["role"] == "img"


@each
@widths
def test_labels_stay_inside_the_picture(name: str, width: float) -> None:
    with pictures.style():
        figure = DRAWINGS[name](width)
        figure.draw_without_rendering()
        box, size = figure.get_tightbbox(), figure.get_size_inches()  # both in inches
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= size[0] + 0.02
    assert box.y1 <= size[1]


def test_without_a_chinese_font_labels_are_english(monkeypatch: pytest.MonkeyPatch) -> None:
    use("zh")
    monkeypatch.setattr(pictures, "chinese_font", lambda: None)
    with pictures.style():  # a missing glyph would be a warning, and so an error
        figure = pictures.without_chinese(lambda: DRAWINGS["speed"](pictures.WIDE))
        assert figure.axes[0].get_xlabel() == "questions per second"
        pictures.png(figure)
        assert DRAWINGS["speed"](pictures.WIDE).axes[0].get_xlabel() == "每秒题数"


def test_colours_have_contrast_and_differ() -> None:
    assert len({one.light for one in pictures.COLOURS.values()}) == len(pictures.COLOURS)
    for kind in ("light", "dark"):
        paper = getattr(pictures.PAPER, kind)
        for one in (*pictures.RUNS, pictures.OTHERS, pictures.GUESS):
            assert contrast(getattr(one, kind), paper) >= 3.0, one  # WCAG, graphics
        for one in (pictures.INK, pictures.MUTED):
            assert contrast(getattr(one, kind), paper) >= 4.5, one


def test_the_first_runs_colours_differ_for_every_eye() -> None:
    """Simulated after Viénot, Brettel and Mollon (1999): no red or no green cones."""
    for kind, blind in itertools.product(("light", "dark"), ("protan", "deutan")):
        seen = [simulated(getattr(one, kind), blind) for one in pictures.RUNS[:3]]
        for one, two in itertools.combinations(seen, 2):
            assert sum((a - b) ** 2 for a, b in zip(one, two, strict=True)) ** 0.5 > 0.12


def linear(colour: str) -> list[float]:
    values = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in values]


def contrast(one: str, two: str) -> float:
    weights = (0.2126, 0.7152, 0.0722)
    low, high = sorted(
        sum(w * v for w, v in zip(weights, linear(colour), strict=True)) for colour in (one, two)
    )
    return (high + 0.05) / (low + 0.05)


def simulated(colour: str, blind: str) -> list[float]:
    red, green, blue = linear(colour)
    if blind == "protan":
        mixed = 0.11238 * red + 0.88762 * green
        return [mixed, mixed, 0.00401 * red - 0.00401 * green + blue]
    mixed = 0.29275 * red + 0.70725 * green
    return [mixed, mixed, -0.02234 * red + 0.02234 * green + blue]
