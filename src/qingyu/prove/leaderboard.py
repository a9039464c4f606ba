"""Where a run stands among published scores, overall and among models of its size.

    board = Board.load("ceval")
    place = board.place(Result.read(path))
    place.rank, place.of, place.class_rank, [one.row.model for one in place.neighbours]

The board of a given day cannot be rebuilt: its rows were never archived. Ranks are among the
recorded rows (published.py), which mix splits, shots and runners; `Standing.differs` and
`same_setting` are there so that nobody compares them unawares.

Rules. One row of each model is ranked: that with the best average on the test split (or on a
split not stated), and only when there is none the best on val; of equal ones that whose split
and shots are stated, then the first recorded. Best, because the official board itself showed
the better of 0 and 5 shots. Ranks begin at 1, and equal averages share the best rank. Withdrawn
rows and incomplete runs have none. A user's runs are ranked among the rest, each for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from qingyu.errors import InvalidRequestError
from qingyu.prove import benchmarks
from qingyu.prove.benchmarks import Benchmark
from qingyu.prove.published import Row, SizeClass, published, run_row
from qingyu.prove.results import Result
from qingyu.text import pick


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row with its ranks, None where it has none.

    differs: "split", "shots" where the row's is not that of any of the user's runs, or not
    stated.
    """

    row: Row
    rank: int | None = None
    class_rank: int | None = None
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Of a run. of, class_of: rows ranked, this run among them; recorded: published ones of
    them. neighbours: the published rows ranked next above and below, best first; none for a
    run that has no rank. class_neighbours: the same in its size class.
    """

    run: Row
    rank: int | None
    of: int
    recorded: int
    size_class: SizeClass | None
    class_rank: int | None
    class_of: int
    neighbours: tuple[Standing, ...]
    class_neighbours: tuple[Standing, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """rows: published, all of them; runs: the user's."""

    benchmark: Benchmark
    rows: tuple[Row, ...]
    runs: tuple[Row, ...] = ()

    @classmethod
    def load(cls, benchmark: str) -> Board:
        """Raises InvalidRequestError for a benchmark there is not."""
        return cls(benchmark=benchmarks.find(benchmark), rows=published(benchmark))

    def with_runs(self, results: Iterable[Result]) -> Board:
        """Raises InvalidRequestError for a run of another benchmark, JournalError for one
        without a score."""
        runs = []
        for result in results:
            if result.benchmark.id != self.benchmark.id:
                raise InvalidRequestError(
                    pick(
                        f"{result.name} was run on {result.benchmark.title}, and this is the"
                        f" board of {self.benchmark.title}",
                        f"{result.name} 跑的是 {result.benchmark.title}，"
                        f"而这是 {self.benchmark.title} 的榜单",
                    )
                )
            runs.append(run_row(result))
        return replace(self, runs=(*self.runs, *runs))

    def standings(self, *, same_setting: bool = False, every: bool = False) -> list[Standing]:
        """The rows to show, best first: those that are ranked, withdrawn ones, and the runs.

        same_setting: only published rows with the runs' split and shots (raises
        InvalidRequestError when there is no run, or runs differ in these). every: also the
        rows of a model beside the one that is ranked.
        """
        rows: Iterable[Row] = self.rows
        if same_setting:
            pair = self._common_pair()
            rows = [row for row in rows if row.setting.pair == pair]
        rows = list(rows)
        taken = {id(row) for row in one_per_model(rows)}
        ranked = [row for row in rows if id(row) in taken]
        ranked += [run for run in self.runs if run.can_rank]
        averages = sorted((row.average for row in ranked), reverse=True)
        of_class: dict[str, list[float]] = {}
        for row in ranked:
            if row.size_class:
                of_class.setdefault(row.size_class.name, []).append(row.average)
        found = []
        for row in (*rows, *self.runs):
            if id(row) in taken or (row.is_run and row.can_rank):
                peers = of_class[row.size_class.name] if row.size_class else None
                found.append(
                    Standing(
                        row=row,
                        rank=1 + averages.index(row.average),
                        class_rank=1 + sum(one > row.average for one in peers) if peers else None,
                        differs=self._differs(row),
                    )
                )
            elif every or row.withdrawn or row.is_run:
                found.append(Standing(row=row, differs=self._differs(row)))
        return sorted(found, key=_order)

    def place(self, result: Result, *, same_setting: bool = False, around: int = 2) -> Place:
        """Where a run stands: one of the board's runs, or another, which is then added alone.

        around: so many neighbours above, and as many below. same_setting: among published rows
        with its split and shots. Raises what `with_runs` does.
        """
        board = self
        if not any(run.result is result for run in self.runs):
            board = self.with_runs([result])
        run = next(run for run in board.runs if run.result is result)
        if same_setting:  # runs in another setting stand on another board
            alike = tuple(one for one in board.runs if one.setting.pair == run.setting.pair)
            board = replace(board, runs=alike)
        standings = board.standings(same_setting=same_setting)
        mine = next(one for one in standings if one.row is run)
        ranked = [one for one in standings if one.rank]
        peers = [one for one in ranked if run.size_class and one.row.size_class == run.size_class]
        return Place(
            run=run,
            rank=mine.rank,
            of=len(ranked),
            recorded=sum(not one.row.is_run for one in ranked),
            size_class=run.size_class,
            class_rank=mine.class_rank,
            class_of=len(peers),
            neighbours=_around(ranked, mine, around),
            class_neighbours=_around(peers, mine, around),
        )

    def _common_pair(self) -> tuple[str, str]:
        pairs = {run.setting.pair for run in self.runs}
        if len(pairs) == 1:
            return pairs.pop()
        if not pairs:
            raise InvalidRequestError(
                pick(
                    "the same setting as what? Add a run of your own (--add)",
                    "没有可作为基准的设置：请先用 --add 加入你自己的一次运行",
                )
            )
        listed = sorted(f"{split} {shots}-shot" for split, shots in pairs)
        raise InvalidRequestError(
            pick(
                f"the runs have {len(pairs)} settings ({'; '.join(listed)}), so none is the same"
                " for all; add runs of one setting",
                f"这些运行有 {len(pairs)} 种设置（{'；'.join(listed)}），无法同设置比较；"
                "请只加入同一设置的运行",
            )
        )

    def _differs(self, row: Row) -> tuple[str, ...]:
        """Of a published row, against the ranked run that is nearest to it."""
        runs = [run for run in self.runs if run.can_rank] or self.runs
        if row.is_run or not runs:
            return ()
        each = [
            tuple(
                name
                for name in ("split", "shots")
                if getattr(row.setting, name) != getattr(run.setting, name)
            )
            for run in runs
        ]
        return min(each, key=len)


def one_per_model(rows: Iterable[Row]) -> list[Row]:
    """The row of each model that counts (rules: above); withdrawn ones never do."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.can_rank and (row.key not in best or _worth(row) > _worth(best[row.key])):
            best[row.key] = row
    return list(best.values())


def settings_among(standings: Iterable[Standing]) -> Mapping[tuple[str, str], int]:
    """Number of ranked rows with each split and shots, the commonest first."""
    return dict(Counter(one.row.setting.pair for one in standings if one.rank).most_common())


def _worth(row: Row) -> tuple[bool, float, bool]:
    return row.setting.split != "val", row.average, row.setting.is_stated


def _order(standing: Standing) -> tuple[float, bool, bool, str]:
    row = standing.row
    return -row.average, not row.is_run, standing.rank is None, row.key


def _around(ranked: list[Standing], mine: Standing, around: int) -> tuple[Standing, ...]:
    place = next((place for place, one in enumerate(ranked) if one is mine), None)
    if place is None:
        return ()
    above = [one for one in ranked[:place] if not one.row.is_run]
    below = [one for one in ranked[place:] if not one.row.is_run]
    return (*above[max(0, len(above) - around) :], *below[:around])
