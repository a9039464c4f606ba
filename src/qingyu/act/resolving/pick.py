"""The answer to "which one": what the question was about, with the devices that were chosen.

picked(situation, parse_form("pick <area>1"))     # of situation.focus.which
"""

from __future__ import annotations

from collections.abc import Iterable

from qingyu.act.fast.choosing import asks_back, speaks_of_all
from qingyu.act.forms.terms import Pick, Pointer, Quote, Who
from qingyu.act.resolving.classes import is_a
from qingyu.act.resolving.services import named_like
from qingyu.act.resolving.situation import Situation
from qingyu.act.spoken.spelling import simplified
from qingyu.act.understood import Understood, Which
from qingyu.act.world import Entity


def picked(situation: Situation, form: Pick) -> Understood:
    """What is meant now that it is said which; asked back again where it still is not clear."""
    which = situation.focus.which
    if which is None:
        return ()
    text = situation.marked.text
    if asks_back(text) or (form.all and not speaks_of_all(text)):
        return (which,)
    if form.all:
        return which.again(which.candidates)
    chosen = _chosen(situation, which, form.what)
    if not chosen:
        return (which,)
    if len(chosen) > 1 and which.kind == "entity":
        chosen = tuple(one.id for one in situation.here(_entities(situation, chosen))) or chosen
    if len(chosen) == 1:
        return which.again(chosen)
    return (Which(chosen, which.again, which.kind),)


def _entities(situation: Situation, ids: Iterable[str]) -> list[Entity]:
    return [one for id in ids if (one := situation.world.entity(id)) is not None]


def _chosen(situation: Situation, which: Which, what: Who | Pointer | Quote) -> tuple[str, ...]:
    """The candidates that an answer names."""
    if isinstance(what, Quote):
        return _called(situation, which, situation.words(what))
    if isinstance(what, Pointer):
        mark = situation.mark(what)
        if mark is None:
            return ()
        if what.domain in ("area", "floor"):
            return _in(situation, which, situation.areas((what,)))
        if isinstance(mark.value, int | float):
            place = int(mark.value) - 1
            return which.candidates[place : place + 1] if place >= 0 else ()
        named = tuple(one for one in which.candidates if one in mark.ids)
        return named or _called(situation, which, mark.words)
    if isinstance(what.what, tuple):
        ids = {id for one in what.what for id in situation.ids(one)}
        some = tuple(one for one in which.candidates if one in ids)
        areas = situation.areas(what.scope.at)
        return _in(situation, Which(some, which.again), areas) if areas and some else some
    if what.scope.at:
        return _in(situation, which, situation.areas(what.scope.at))
    if what.what == "everything":  # "the near one", "the other one"
        here = _in(situation, which, (situation.speaker,))
        elsewhere = tuple(one for one in which.candidates if one not in here)
        return elsewhere if what.scope.elsewhere else here
    candidates = _entities(situation, which.candidates)
    return tuple(one.id for one in candidates if is_a(one, what.what, "open"))


def _in(situation: Situation, which: Which, areas: tuple[str, ...]) -> tuple[str, ...]:
    if which.kind == "area":
        return tuple(one for one in which.candidates if one in areas)
    return tuple(one.id for one in _entities(situation, which.candidates) if one.area in areas)


def _called(situation: Situation, which: Which, words: str) -> tuple[str, ...]:
    """By a part of a name, or of the name of the place."""
    names = {one: situation.world.names_of(one) for one in which.candidates}
    return named_like(simplified(words), names)
