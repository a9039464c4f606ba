"""What of the benchmark must not be trained on: its sentences, and the names of its devices.

    forbidden = benchmark_texts()
    forbidden.says("麻烦把灯关一下")       # the turn of a case that is the same, or None
    leaks(sentences)                      # [(sentence, the case's turn), ...]
    named_alike(worlds)                   # {world: names that a benchmark's device has}
    is_device_name("Dobby"), untested(examples, lambda one: [turn.text for turn in one.turns])

A generator of training sentences leaves out what `says` finds; the leak test proves that it
did. "Yes" and "no" in all their wordings are no sentences: whoever confirms says just that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar, get_args

from qingyu.act.bench.cases import Split, read_split
from qingyu.act.bench.sameness import bare, unmarked
from qingyu.act.world import World

Said = TypeVar("Said")
_ANSWERS = frozenset(
    map(
        unmarked,
        (
            "是", "是的", "对", "对的", "好", "好的", "行", "可以", "确认", "确定", "没错", "嗯",
            "要", "当然", "不", "不是", "不要", "不用", "不用了", "不行", "别", "算了", "取消",
            "否", "停", "停下", "停止", "撤销", "yes", "yeah", "yep", "yup", "sure", "ok", "okay",
            "confirm", "confirmed", "right", "correct", "go ahead", "do it", "of course",
            "yes please", "no", "nope", "nah", "cancel", "no thanks", "never mind", "nevermind",
            "dont", "stop", "undo",
        ),
    )
)  # fmt: skip
"""A yes, a no or a stop: short words of the language, which a form of their own stands for."""


@dataclass(frozen=True)
class Texts:
    """sentences: {bare sentence: the case's turn as it was written}."""

    sentences: Mapping[str, str]

    def says(self, sentence: str) -> str | None:
        """The turn of a case that a sentence is the same as, but for fillers and the like."""
        return self.sentences.get(bare(sentence))


@cache
def benchmark_texts(splits: tuple[Split, ...] = get_args(Split)) -> Texts:
    """Every turn of every case."""
    return texts(
        turn
        for split in splits
        for _, cases in read_split(split)
        for case in cases
        for turn in case.say
    )


def texts(turns: Iterable[str]) -> Texts:
    """Turns as `Texts`, without those that only answer yes or no."""
    return Texts({bare(one): one for one in turns if unmarked(one) not in _ANSWERS})


def leaks(sentences: Iterable[str], found: Texts | None = None) -> list[tuple[str, str]]:
    """Sentences that are in the benchmark, each with the turn it is the same as."""
    known = benchmark_texts() if found is None else found
    pairs = ((one, known.says(one)) for one in sentences)
    return [(one, turn) for one, turn in pairs if turn is not None]


@cache
def benchmark_names(splits: tuple[Split, ...] = get_args(Split)) -> frozenset[str]:
    """The names of the devices of the benchmark's households, in `unmarked` form."""
    return frozenset(
        name for split in splits for world, _ in read_split(split) for name in device_names(world)
    )


def device_names(world: World) -> Iterator[str]:
    """Every name and nickname of every device and service, in `unmarked` form."""
    for entity in world.entities:
        yield from map(unmarked, entity.names)


def named_alike(
    worlds: Iterable[World], names: frozenset[str] | None = None
) -> dict[str, list[str]]:
    """{household: its devices' names that a device of the benchmark has as well}."""
    known = benchmark_names() if names is None else names
    found = {one.name: sorted(known.intersection(device_names(one))) for one in worlds}
    return {name: some for name, some in found.items() if some}


def is_device_name(name: str) -> bool:
    """Whether a device of the benchmark has this name, in any case and punctuation."""
    return unmarked(name) in benchmark_names()


def untested(said: Iterable[Said], texts_of: Callable[[Said], Iterable[str]]) -> Iterator[Said]:
    """Those none of whose texts is in the benchmark: what may be trained on."""
    known = benchmark_texts()
    for one in said:
        if all(known.says(text) is None for text in texts_of(one)):
            yield one
