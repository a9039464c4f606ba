"""Text that overlaps the questions models are evaluated with.

    questions = Questions.find(data)               # ceval/ and cmmlu/ below a folder, or None
    questions.hit("...")                           # "ceval/val/law_val.csv", or None

A hit is 13 units in a row that a question has as well: Chinese characters, or words of other
scripts, without marks and case. Questions are read where they lie; neither they nor their
n-grams are written anywhere.
"""

from __future__ import annotations

import csv
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import DataError
from qingyu.make.data.measures import IDEOGRAPHS
from qingyu.text import pick

NGRAM = 13
BENCHMARKS = ("ceval", "cmmlu")
_UNIT = re.compile(rf"[{IDEOGRAPHS}]|(?:(?![{IDEOGRAPHS}])[^\W_])+")
_COLUMNS = ("question", "a", "b", "c", "d")
_MAX_FILE_BYTES = 16 << 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Questions:
    """Hashes of the n-grams of all questions, sorted, and where each is from."""

    def __init__(
        self, hashes: NDArray[np.uint64], origins: NDArray[np.int32], files: list[str], count: int
    ) -> None:
        """Use `find`."""
        self._hashes = hashes
        self._origins = origins
        self._files = files
        self.count = count

    @classmethod
    def find(cls, folder: Path) -> Questions | None:
        """The questions of all benchmarks below the folder; None when there is none.

        Raises DataError for a file that cannot be read.
        """
        hashes: list[NDArray[np.uint64]] = []
        origins: list[NDArray[np.int32]] = []
        files: list[str] = []
        count = 0
        for name in BENCHMARKS:
            for path in sorted((folder / name).glob("*/*.csv")):
                files.append(path.relative_to(folder).as_posix())
                for question in _read(path):
                    count += 1
                    grams = ngrams(question)
                    hashes.append(grams)
                    origins.append(np.full(len(grams), len(files) - 1, np.int32))
        if not count:
            return None
        together = np.concatenate(hashes)
        unique, first = np.unique(together, return_index=True)
        return cls(unique, np.concatenate(origins)[first], files, count)

    def hit(self, text: str) -> str | None:
        """The file of a question that the text overlaps, or None."""
        grams = ngrams(text)
        if not len(grams) or not len(self._hashes):
            return None
        places = np.searchsorted(self._hashes, grams)
        places[places == len(self._hashes)] = 0
        found = np.flatnonzero(self._hashes[places] == grams)
        return self._files[int(self._origins[places[found[0]]])] if len(found) else None


def ngrams(text: str, length: int = NGRAM) -> NDArray[np.uint64]:
    """Hashes of the runs of that many units of a text; none for a shorter one."""
    found = _UNIT.findall(unicodedata.normalize("NFKC", text).lower())
    if len(found) < length:
        return np.empty(0, np.uint64)
    numbers = np.fromiter((zlib.crc32(unit.encode()) for unit in found), np.uint64, len(found))
    mixed = numbers * _FACTOR
    mixed ^= mixed >> np.uint64(29)
    total = np.zeros(len(found) - length + 1, np.uint64)
    for offset in range(length):
        total = total * np.uint64(0x100000001B3) + mixed[offset : offset + len(total)]
        total ^= total >> np.uint64(31)
    return total


def _read(path: Path) -> Iterator[str]:
    """Each question with its choices, as one text."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise DataError(pick(f"{path} is larger than 16 MiB", f"{path} 超过 16 MiB"))
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                cells = {(key or "").strip().lower(): value for key, value in row.items() if key}
                yield " ".join(str(cells.get(name) or "") for name in _COLUMNS)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            pick(
                f"the questions in {path} cannot be read: {error}; bring them again with: qingyu"
                " pull ceval",
                f"无法读取 {path} 中的题目：{error}；请用 qingyu pull ceval 重新获取",
            )
        ) from None
