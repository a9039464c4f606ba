"""Main text of crawled pages: ours beside trafilatura and jusText.

    python benchmarks/cleaning.py

Over the pages in tests/make/pages, whose wanted text is marked: the share of wanted characters
that is kept, and the share of unwanted ones in what comes out. Required of ours: at least 95% and
at most 3%. "tuned" pages were looked at while the rules were made; "held out" ones were written
afterwards and not looked at since. All three get the page decoded by ours, since that is what is
compared here: pages in GBK or with a wrong charset would be lost to the others otherwise. jusText
has no list of Chinese stop words; it runs without one, as its documentation says for other
languages.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import justext
import trafilatura

from qingyu.make.data import main_text
from qingyu.make.data.decoding import decode

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "cleaning.json"
sys.path[:0] = [str(ROOT)]

from tests.make.marked_pages import HELD_OUT, TUNED, compare, read  # noqa: E402

REQUIRED_KEPT, REQUIRED_UNWANTED = 0.95, 0.03


def ours(html: str, language: str) -> str:
    return main_text.extract(html).text


def by_trafilatura(html: str, language: str) -> str:
    """With its defaults but for comments, which are unwanted here, and with recall preferred."""
    return trafilatura.extract(html, include_comments=False, favor_recall=True) or ""


def by_justext(html: str, language: str) -> str:
    if language == "en":
        paragraphs = justext.justext(html, justext.get_stoplist("English"))
    else:
        paragraphs = justext.justext(
            html, frozenset(), length_low=20, length_high=60, stopwords_low=0, stopwords_high=0
        )
    return "\n".join(one.text for one in paragraphs if not one.is_boilerplate)


def measured(extract: Callable[[str, str], str], paths: list[Path]) -> dict[str, float]:
    """kept and unwanted over all pages together; whole: pages within both bounds by themselves;
    milliseconds of the middle page."""
    wanted = kept = given = unwanted = whole = 0
    times = []
    for path in paths:
        page = read(path)
        html = decode(page.raw).text
        start = time.perf_counter()
        try:
            text = extract(html, path.stem[:2])
        except Exception as error:  # another program's trouble with a page is its result
            print(f"{path.name}: {error}", file=sys.stderr)
            text = ""
        times.append(time.perf_counter() - start)
        counts = compare(page.wanted, text)
        wanted, kept = wanted + counts[0], kept + counts[1]
        given, unwanted = given + counts[2], unwanted + counts[3]
        whole += counts[1] >= REQUIRED_KEPT * counts[0] and (
            counts[3] <= REQUIRED_UNWANTED * counts[2]
        )
    return {
        "pages": len(paths),
        "kept": kept / max(wanted, 1),
        "unwanted": unwanted / max(given, 1),
        "whole": whole,
        "milliseconds": 1000 * sorted(times)[len(times) // 2],
    }


def main() -> int:
    programs = {"qingyu": ours, "trafilatura": by_trafilatura, "jusText": by_justext}
    results: dict[str, dict[str, dict[str, float]]] = {}
    head = f"{'pages':22}{'program':14}{'kept':>8}{'unwanted':>10}{'within both':>14}{'ms':>8}"
    print(head)
    for name, paths in (("tuned", TUNED), ("held out", HELD_OUT)):
        for language in ("zh", "en"):
            chosen = [path for path in paths if path.stem.startswith(language)]
            if not chosen:
                continue
            label = f"{name}, {language}"
            results[label] = {}
            for program, extract in programs.items():
                one = results[label][program] = measured(extract, chosen)
                print(
                    f"{label + f' ({len(chosen)})':22}{program:14}{one['kept']:>8.1%}"
                    f"{one['unwanted']:>10.1%}{one['whole']:>9.0f} / {len(chosen):<2}"
                    f"{one['milliseconds']:>8.1f}"
                )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    bad = [
        label
        for label, rows in results.items()
        if rows["qingyu"]["kept"] < REQUIRED_KEPT or rows["qingyu"]["unwanted"] > REQUIRED_UNWANTED
    ]
    print(f"outside of the bounds: {', '.join(bad)}" if bad else "within the bounds")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
