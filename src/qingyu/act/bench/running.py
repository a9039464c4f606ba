"""Asks a system the cases, one conversation each, and looks at what it does.

    selection = Selection.of_split("dev", languages=("zh",), categories=("plain",))
    result = run(selection, FastSystem(), folder)
    result.scores.tallies["zh"]["plain"].right

Every answer is written into the folder's journal.jsonl as it comes: a run that was killed goes
on where it was. What a system says that it did is done again here, call by call under the
guard, and what does not come out the same is counted.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qingyu
from qingyu.act.actions import apply
from qingyu.act.bench.answers import Answer, judged
from qingyu.act.bench.cases import (
    CATEGORIES,
    LANGUAGES,
    Case,
    Language,
    Split,
    read_cases,
    read_split,
)
from qingyu.act.bench.results import Result
from qingyu.act.bench.scores import Scored
from qingyu.act.bench.systems import Session, System
from qingyu.act.calls import Call, refusal
from qingyu.act.guard import check
from qingyu.act.state import State, changes
from qingyu.act.world import World
from qingyu.act.world_file import read_world
from qingyu.engine.machine import peak_memory
from qingyu.errors import DataError, EndpointError, InvalidRequestError
from qingyu.models.store import utc_now
from qingyu.prove.journal import Lines, damaged
from qingyu.text import pick

JOURNAL = "journal.jsonl"
_NOTE = 2000
"""Characters kept of a note or an error."""

Progress = Callable[[int, int, int], None]
"""Called with cases answered, cases in all, and those right so far."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The cases to ask, each with its household. identity: what they are, as JSON."""

    pairs: tuple[tuple[World, Case], ...]
    identity: Mapping[str, Any]

    @classmethod
    def of_split(
        cls,
        split: Split,
        *,
        languages: Sequence[Language] = LANGUAGES,
        categories: Sequence[str] = (),
        limit: int | None = None,
    ) -> Selection:
        """Cases of the benchmark. categories: all where none is given. limit: the first ones of
        each category and language. Raises InvalidRequestError where nothing is left."""
        pairs = [(world, case) for world, cases in read_split(split) for case in cases]
        return cls._of(split, pairs, languages, categories, limit)

    @classmethod
    def of_files(
        cls,
        world: Path,
        cases: Sequence[Path],
        *,
        languages: Sequence[Language] = LANGUAGES,
        categories: Sequence[str] = (),
        limit: int | None = None,
    ) -> Selection:
        """Somebody's own household and cases. Raises WorldError, DataError; and as `of_split`."""
        house = read_world(world)
        pairs = [(house, case) for path in cases for case in read_cases(path, house)]
        twice = [id for id, count in Counter(case.id for _, case in pairs).items() if count > 1]
        if twice:
            raise DataError(
                pick(
                    f"the case {twice[0]} is in two of the files; rename one",
                    f"用例 {twice[0]} 在两个文件中都有；请改名",
                )
            )
        return cls._of(house.name, pairs, languages, categories, limit)

    @classmethod
    def _of(
        cls,
        name: str,
        pairs: Sequence[tuple[World, Case]],
        languages: Sequence[Language],
        categories: Sequence[str],
        limit: int | None,
    ) -> Selection:
        for one in categories:
            if one not in CATEGORIES:
                known = ", ".join(CATEGORIES)
                raise InvalidRequestError(
                    pick(
                        f"there is no category {one!r}; the categories are {known}",
                        f"没有类别 {one!r}；类别有 {known}",
                    )
                )
        seen: Counter[tuple[str, str]] = Counter()
        chosen: list[tuple[World, Case]] = []
        for world, case in pairs:
            if case.language not in languages or (categories and case.category not in categories):
                continue
            seen[case.language, case.category] += 1
            if limit is None or seen[case.language, case.category] <= limit:
                chosen.append((world, case))
        if not chosen:
            raise InvalidRequestError(
                pick(
                    f"no case of {name} is of this language and category",
                    f"{name} 中没有这种语言和类别的用例",
                )
            )
        digest = hashlib.sha256()
        worlds: dict[int, World] = {}
        for world, case in chosen:
            if id(world) not in worlds:
                worlds[id(world)] = world
                digest.update(repr(world).encode("utf-8", "surrogatepass"))
            digest.update(repr(case).encode("utf-8", "surrogatepass"))
        identity = {
            "name": name,
            "languages": [one for one in LANGUAGES if one in {c.language for _, c in chosen}],
            "categories": list(categories),
            "limit": limit,
            "count": len(chosen),
            "sha256": digest.hexdigest(),
        }
        return cls(pairs=tuple(chosen), identity=identity)


def run(
    selection: Selection, system: System, folder: Path, *, progress: Progress | None = None
) -> Result:
    """Ask what the folder's journal does not hold yet, and write the result there.

    Raises JournalError when the journal is of another run or damaged, EndpointError when a
    server gives out; what was answered until then stays. Whatever else a system raises is an
    answer: a wrong one, with the error in it.
    """
    started, wall = utc_now(), time.perf_counter()
    head = {
        "cases": dict(selection.identity),
        "system": dict(system.identity),
        "version": qingyu.__version__,
    }
    cases = {case.id: (world, case) for world, case in selection.pairs}
    with Lines.open(folder / JOURNAL, head) as lines:
        answers: dict[str, Answer] = {}
        for number, record in enumerate(lines.records, 2):
            answer = _read(lines.path, number, record)
            if answer.case not in cases:
                raise damaged(lines.path, number)
            answers[answer.case] = answer
        resumed = len(answers)
        right = sum(_is_right(*cases[id], one) for id, one in answers.items())
        if progress is not None:
            progress(len(answers), len(cases), right)
        for world, case in selection.pairs:
            if case.id in answers:
                continue
            answer = ask(world, case, system)
            lines.append([answer.as_json()])
            answers[case.id] = answer
            right += _is_right(world, case, answer)
            if progress is not None:
                progress(len(answers), len(cases), right)
    result = Result.of(
        selection.pairs,
        [answers[case.id] for _, case in selection.pairs],
        cases=selection.identity,
        system=system.identity,
        time={
            "started": started,
            "seconds": round(time.perf_counter() - wall, 3),
            "resumed": resumed,
        },
        version=qingyu.__version__,
    )
    result.write(folder)
    return result


def forget(folder: Path) -> None:
    """Remove a folder's journal, so that a run begins anew."""
    (folder / JOURNAL).unlink(missing_ok=True)


def _is_right(world: World, case: Case, answer: Answer) -> bool:
    return Scored(case, judged(case, world, answer), answer).right


def _read(path: Path, number: int, record: object) -> Answer:
    try:
        return Answer.from_json(record)
    except Exception:
        # A saved answer can be damaged in every way.
        raise damaged(path, number) from None


def ask(world: World, case: Case, system: System) -> Answer:
    """One conversation. Raises EndpointError; anything else that is raised is in the answer."""
    replies: list[str] = []
    seconds: list[float] = []
    notes: list[str] = []
    state, outside, known, error = case.beginning, 0, 0, ""
    session: Session | None = None
    try:
        session = system.start(world, case)
        for number, text in enumerate(case.say):
            began = time.perf_counter()
            reply = session.say(text)
            seconds.append(time.perf_counter() - began)
            replies.append(reply)
            notes.append(session.note[:_NOTE])
            done = tuple(session.done)
            outside += num_outside(world, state, done[known:], session.state, first=not number)
            state, known = session.state, len(done)
    except EndpointError:
        raise
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"[:_NOTE]
    if session is not None:
        state = session.state
        outside += session.garbled
        outside += sum(
            refusal(world, state, call) is not None
            for one in session.schedules
            for call in one.calls
        )
    return Answer(
        case=case.id,
        replies=tuple(replies),
        seconds=tuple(seconds),
        notes=tuple(notes),
        changes=changes(case.beginning, state, memory=True),
        schedules=tuple(session.schedules) if session is not None else (),
        done=tuple(session.done) if session is not None else (),
        outside=outside,
        garbled=session.garbled if session is not None else 0,
        error=error,
        memory=peak_memory(),
    )


def num_outside(
    world: World, before: State, done: Sequence[Call], after: State, *, first: bool
) -> int:
    """How many of the calls a turn carried out the guard does not pass, and one more where they
    do not make `after` of `before`. first: no turn went before it, so nothing can have been
    confirmed."""
    count, state = 0, before
    for call in done:
        verdict = check(world, state, call, confirmed=not first)
        count += verdict.outcome not in ("fine", "already")
        if refusal(world, state, call) is None:
            state = apply(world, state, call)
    return count + bool(changes(state, after))
