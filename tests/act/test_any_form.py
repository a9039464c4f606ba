"""Whatever the grammar lets a model write can be read, and means something that breaks nothing.

Forms are random walks through the grammar of a sentence with marks of real devices.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from qingyu.act.bench.cases import read_split
from qingyu.act.forms.grammar import form_grammar
from qingyu.act.forms.reader import parse_form
from qingyu.act.guard import check
from qingyu.act.marks.mark import Mark, Marked, MarkValue
from qingyu.act.resolving.resolve import resolve
from qingyu.act.spoken.times import find_times
from qingyu.act.state import initial
from qingyu.act.understood import Do, Focus, Which
from qingyu.act.world import World
from qingyu.engine.constraint import Constraints, Grammar
from tests.fakes import EOS, VOCAB_SIZE, ByteTokenizer

WORLDS = {world.name: world for world, _ in read_split("dev")}
NUMBERS = ("percent", "degree", "kelvin", "metre", "angle", "level", "ordinal", "number")
TIMES = ("in ten minutes", "tomorrow at 7", "7:30", "sunset", "every day at 7", "tomorrow")
FORMS_EACH = 60
LONGEST = 300


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


def sentence(world: World, rng: random.Random) -> Marked:
    """Nine marks of things that are there, and a few words."""
    found: list[tuple[str, str, MarkValue]] = []
    for one in rng.sample(world.entities, min(4, len(world.entities))):
        type = one.domain + (f".{one.kind}" if one.kind else "")
        found.append((type, one.names[0], (one.id,)))
    area = rng.choice(world.areas)
    found.append(("area", area.names[0], (area.id,)))
    found += [("contact", one.names[0], (one.value,)) for one in world.contacts[:1]]
    options = [name for one in world.entities for some in one.options.values() for name in some]
    option = rng.choice(options)
    found.append((rng.choice(("option", "place", "app", "source", "mode", "item")), option, option))
    found.append((rng.choice(NUMBERS), "30", rng.choice((0, 1, 3, 30, 22.5, 4000))))
    assert world.now is not None
    words = rng.choice(TIMES)
    (time,) = find_times(words, world.now, world.sun)
    found.append(("time" if time.when else "day", words, time))
    rng.shuffle(found)
    marks = tuple(
        Mark(type=type, start=0, end=0, words=words, value=value)
        for type, words, value in found[:9]
    )
    text = " ".join(f"<{one.type}>{at}" for at, one in enumerate(marks, 1)) + " tea, 周 line"
    return Marked(text, marks, text)


def walk(constraints: Constraints, marked: Marked, rng: random.Random) -> str:
    """A form as a model without any sense may write it; "" where it finds no end."""
    constraint = constraints.start(Grammar.lark(form_grammar(marked)))
    written = bytearray()
    while len(written) < LONGEST:
        bits = np.unpackbits(constraint.mask(), count=VOCAB_SIZE, bitorder="little")
        allowed = [int(one) for one in np.flatnonzero(bits)]
        ends = constraint.complete and (rng.random() < 0.6 or all(one > 255 for one in allowed))
        if ends:
            return written.decode()
        token = rng.choice([one for one in allowed if one != EOS and one < 256])
        written.append(token)
        constraint.accept(token)
    return ""


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_any_form(constraints: Constraints, name: str) -> None:
    world, rng = WORLDS[name], random.Random(name)
    assert world.now is not None
    state, focus, read = initial(world), Focus(), 0
    for _ in range(FORMS_EACH):
        marked = sentence(world, rng)
        text = walk(constraints, marked, rng)
        if not text:
            continue
        form = parse_form(text)
        assert str(form) == text
        speaker = rng.choice(("", world.speaker))
        parts = resolve(
            form, marked, world, state, speaker=speaker, now=world.now, focus=focus
        )  # fmt: skip
        focus, read = focus.after(parts), read + 1
        for part in parts:
            if isinstance(part, Which):
                assert len(set(part.candidates)) > 1, text
                part.again(part.candidates[:1])
            for call in part.calls if isinstance(part, Do) else ():
                verdict = check(world, state, call)
                # What is missing may be asked for; no call says what its device does not know.
                missing = verdict.reason == "argument" and verdict.key not in call.arguments
                assert verdict.reason not in ("action", "argument") or missing, (text, call)
    assert read > FORMS_EACH / 2
