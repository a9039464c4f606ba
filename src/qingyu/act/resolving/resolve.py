"""From a form to what it means in one household now: the last step before the guard.

    parts = resolve(parse_form("off light at <area>1 but <light>2"), marked, world, state,
                    speaker="bedroom", now=now, focus=focus)
    focus = focus.after(parts)

Which devices a "who" means is in `situation`, what values words are in `values`, lists,
phone and robot in `services`, wishes in `wishes`. A form that points at marks which are
not there, or at "it" where nothing was talked about, means nothing: ().
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from qingyu.act.calls import RECORDS, Call
from qingyu.act.forms.terms import (
    Add,
    Adjust,
    Ask,
    Body,
    Clause,
    Clean,
    Form,
    NotPossible,
    NotThere,
    Orders,
    Pick,
    Plain,
    Pointer,
    Quote,
    Remove,
    Serve,
    Set,
    Taught,
    Turn,
    Walk,
    Who,
    Wish,
    Word,
)
from qingyu.act.forms.words import ROBOT
from qingyu.act.marks.mark import Marked
from qingyu.act.resolving.parameters import PARAMETERS
from qingyu.act.resolving.pick import picked
from qingyu.act.resolving.questions import asked
from qingyu.act.resolving.services import (
    MORNING,
    added,
    lists_with,
    moved,
    removed,
    served,
    several_entries,
)
from qingyu.act.resolving.situation import Situation, Targets
from qingyu.act.resolving.values import adjusting, parameter, selector, setting
from qingyu.act.resolving.verbs import done, switch
from qingyu.act.resolving.wish_words import helps
from qingyu.act.resolving.wishes import wished
from qingyu.act.spoken.times import Found
from qingyu.act.state import State
from qingyu.act.understood import (
    NOTHING,
    Absent,
    Clock,
    Do,
    Focus,
    No,
    Part,
    Question,
    Talk,
    Teach,
    Unable,
    Understood,
    Undo,
    Which,
    Yes,
)
from qingyu.act.when import When
from qingyu.act.world import Entity, World

_WORDS: dict[str, Part] = {"talk": Talk(), "yes": Yes(), "no": No(), "undo": Undo()}
_ON = frozenset({"on", "open", "start", "activate", "play"})
_OFF = frozenset({"off", "close", "stop"})
_HEARD = 30
"""Percent that a volume comes back to which was nothing."""
_OFF_TOO = {"alarm": "remove", "timer": "cancel", "dialer": "hang_up", "navigator": "stop",
            "robot": "stop"}  # fmt: skip


def resolve(
    form: Form,
    marked: Marked,
    world: World,
    state: State,
    *,
    speaker: str,
    now: datetime.datetime,
    focus: Focus = NOTHING,
) -> Understood:
    """What a form means. speaker: id of the area where the person is, "" if unknown. now: local
    time without a zone."""
    situation = Situation(
        marked=marked, world=world, state=state, speaker=speaker, now=now, focus=focus
    )
    if isinstance(form, Word):
        return (_WORDS[form.word],)
    if isinstance(form, Pick):
        return picked(situation, form)
    return _orders(situation, form)


def _orders(situation: Situation, form: Orders) -> Understood:
    found: list[tuple[Body, Understood]] = []
    taught = [one for one in form.clauses if _is_routine(one)]
    for clause in _said_once(form.clauses):
        if clause in taught:
            continue
        some = clause_parts(situation, clause)
        found.append((clause.body, some))
        # "Turn on the lamp and make it red": the second is about the first.
        situation = _later(situation, some)
    parts = _without_reasons(found)
    if taught:
        # What stands beside it is what it does; alone, what was done in the last turn.
        calls = tuple(call for one in parts if isinstance(one, Do) for call in one.calls)
        calls = calls or situation.focus.calls
        names = [situation.words(one.body.text) for one in taught if isinstance(one.body, Taught)]
        # A time has no place in a routine: whoever keeps it says so.
        timed = [one for one in parts if isinstance(one, Do) and one.when is not None]
        return (*timed, *(Teach("routine", name=name, calls=calls) for name in names))
    return _merged(parts)


def _without_reasons(found: Sequence[tuple[Body, Understood]]) -> list[Part]:
    """The parts of all clauses, but for wishes that only say why something is ordered, be it
    possible and clear or not: "it's freezing, close the windows"."""
    ordered = [part for body, parts in found if not isinstance(body, Wish) for part in parts]
    helping = {
        call.entity.partition(".")[0]
        for part in ordered
        if isinstance(part, Do)
        for call in part.calls
    }
    in_vain = bool(ordered) and all(isinstance(part, Absent | Unable | Which) for part in ordered)
    return [
        part
        for body, parts in found
        if not (isinstance(body, Wish) and (in_vain or helps(body.word, helping)))
        for part in parts
    ]


def _said_once(clauses: Iterable[Clause]) -> list[Clause]:
    """Without orders that only say again what the one before has said; steps add up."""
    kept: list[Clause] = []
    for clause in clauses:
        orders = [one for one in kept if not isinstance(one.body, Wish)]
        known = kept if isinstance(clause.body, Wish) else orders[-1:]
        if clause not in known or _is_step(clause.body):
            kept.append(clause)
    return kept


def _is_step(body: Body) -> bool:
    """Whether it does more each time it is done."""
    is_next = isinstance(body, Plain) and body.verb in ("next", "previous")
    return is_next or isinstance(body, Adjust | Walk | Turn)


def _is_routine(clause: Clause) -> bool:
    return isinstance(clause.body, Taught) and clause.body.verb == "routine"


def _later(situation: Situation, parts: Understood) -> Situation:
    return replace(situation, focus=situation.focus.after(parts))


def _merged(parts: Iterable[Part]) -> Understood:
    """Calls that follow each other as one part."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Do) and isinstance(last, Do) and _together(last, part):
            merged[-1] = Do(last.calls + part.calls, last.when, last.days)
        elif not isinstance(part, Do) or part.calls:
            merged.append(part)
    return tuple(merged)


def _together(one: Do, other: Do) -> bool:
    return (one.when, one.days) == (other.when, other.days)


def clause_parts(situation: Situation, clause: Clause) -> Understood:
    """What one clause means, its calls put off where it says when."""
    parts = _body(situation, clause.body)
    if clause.when is None:
        return parts
    mark = situation.mark(clause.when)
    if mark is None:
        return ()
    if isinstance(mark.value, Found) and mark.value.when is not None:
        return tuple(_delayed(one, mark.value.when, mark.value.days) for one in parts)
    if isinstance(mark.value, Found) and mark.value.day is not None:
        moment = datetime.datetime.combine(mark.value.day, MORNING)
        return tuple(_delayed(one, When(base="moment", moment=moment), "once") for one in parts)
    if isinstance(mark.value, int | float):
        when = When(base="said", seconds=round(mark.value))
        return tuple(_delayed(one, when, "once") for one in parts)
    return parts


def _delayed(part: Part, when: When, days: str) -> Part:
    match part:
        case Do(calls):
            return Do(calls, when, days)
        case Which(candidates, again, kind):

            def later(chosen: tuple[str, ...]) -> Understood:
                return tuple(_delayed(one, when, days) for one in again(chosen))

            return Which(candidates, later, kind)
    return part


def _body(situation: Situation, body: Body) -> Understood:
    match body:
        case Plain(verb, None):
            assert verb in ROBOT
            return moved(situation, body)
        case Plain(verb, who) if who is not None:
            app = _launched(situation, verb, who)
            if app is not None:
                return served(situation, app)
            return _each(situation, body, who, verb, lambda one, _: _plain(situation, one, verb))
        case Set(who, pairs):
            return _set(situation, body, who, pairs)
        case Adjust(more, who, key, by):
            return _adjust(situation, body, who, key, more=more, by=by)
        case Clean(who, area):
            return _clean(situation, body, who, area)
        case Ask(None, key):
            return (Clock(day=key == "date"),)
        case Ask():
            return asked(situation, body)
        case Add(who):
            return _each(situation, body, who, "add", lambda one, _: added(situation, one, body))
        case Remove(who):
            return _remove(situation, body, who)
        case Serve():
            return served(situation, body)
        case Walk() | Turn():
            return moved(situation, body)
        case Wish():
            return wished(situation, body)
        case NotThere(text):
            return (Absent(words=situation.words(text)),)
        case NotPossible(who, text):
            return _unable(situation, who, text)
    assert isinstance(body, Taught), body
    return _taught(situation, body)


def _launched(situation: Situation, verb: str, who: Who) -> Serve | None:
    """ "Open" an app: a mark of that type is the name of one, or of the thing that opens them."""
    if verb not in _ON or not isinstance(who.what, tuple) or who.what[0].type != "app":
        return None
    mark = situation.mark(who.what[0])
    return Serve("launch", who.what[0]) if mark is not None and not mark.ids else None


Made = Call | list[Call] | None


def _each(
    situation: Situation,
    body: Body,
    who: Who,
    verb: str,
    make: Callable[[Entity, Targets], Made],
) -> Understood:
    """The calls for every device that is meant, a question where it is not clear, and what of it
    is not there or cannot do such a thing. Of a class, devices that cannot are not meant."""
    found = situation.targets(who, verb)
    parts: list[Part] = list(found.absent)
    calls: list[Call] = []
    cannot: list[Entity] = []
    for entity in _going(situation, found, verb):
        made = make(entity, found)
        if made is None:
            cannot.append(entity)
        else:
            calls += made if isinstance(made, list) else [made]
    if calls:
        parts.append(Do(tuple(calls)))
    if not (calls and found.group):
        parts += [Unable(one.id) for one in cannot[: 1 if found.group else None]]
    if found.open:
        candidates = _able(situation, found.open, make)
        if len(candidates) == 1:
            return (*parts, *_body(situation.chosen(candidates), body))
        parts.append(Which(candidates, lambda chosen: _body(situation.chosen(chosen), body)))
    return tuple(parts)


_GOING = re.compile(
    r"\b(?:whichever|whatever|anything|everything|every\w*|all|any|those|ones|lights?|lamps?|things?)\b"
    r"(?: [\w<>.']+){0,4}?(?:'s|'re| is| are) (?:still |currently |already |left )?"
    r"(?:on|open|lit|running|playing|burning|going)\b(?! (?:to|off|out)\b)"
    r"|\bwhatever's (?:\w+ )?(?:on|lit|open|running|playing)\b"
    r"|(?:开着|亮着|放着|播着|正在放|在放|在播|在响|运行着|没关)的"
)


def _going(situation: Situation, found: Targets, verb: str) -> tuple[Entity, ...]:
    """Of a class, only those that are on or open where the sentence says so; not where they are to
    become that."""
    if verb in _ON or verb == "unlock" or not found.group:
        return found.entities
    if not _GOING.search(situation.marked.text):
        return found.entities
    return (
        tuple(one for one in found.entities if situation.state.get(one.id) not in _RESTING)
        or found.entities
    )


_RESTING = ("off", "closed", "idle", "docked", "stopped", "locked", "paused", None)


def _able(
    situation: Situation, ids: tuple[str, ...], make: Callable[[Entity, Targets], Made]
) -> tuple[str, ...]:
    """Of candidates those that can do it, if some can."""
    able = []
    for id in ids:
        entity = situation.world.entity(id)
        assert entity is not None
        made = make(entity, Targets())
        calls = made if isinstance(made, list) else [made] if made else []
        if calls and all(_supported(situation, one) for one in calls):
            able.append(id)
    return tuple(able) or ids


def _supported(situation: Situation, call: Call) -> bool:
    """Whether the device has the attributes that a call sets."""
    entity = situation.world.entity(call.entity)
    assert entity is not None
    action = entity.vocabulary.actions.get(call.action)
    if action is None:
        return False
    keys = [action.parameters[key].sets for key in call.arguments if key in action.parameters]
    return all(not key or entity.supports(key) for key in (*keys, *action.needs))


def _plain(situation: Situation, entity: Entity, verb: str) -> Made:
    call = done(verb, entity)
    if call is not None:
        return call
    if entity.domain == "vacuum" and verb in ("on", "off"):
        return Call("start" if verb == "on" else "return", entity.id)
    if verb in _OFF and entity.domain in _OFF_TOO:
        return Call(_OFF_TOO[entity.domain], entity.id)
    if entity.domain == "level" and verb == "off":
        return Call("mute", entity.id)
    if entity.domain == "level" and verb == "unmute":
        now = situation.state.get(entity.id)
        return Call("set", entity.id, {"value": now if isinstance(now, int) and now else _HEARD})
    if verb == "pause" and entity.domain in ("fan", "climate", "humidifier", "switch"):
        return switch(entity, on=False)
    if entity.domain == "seat" and verb in (*_ON, *_OFF):
        return setting(situation, entity, (("heating", "on" if verb in _ON else "off"),))
    if verb in ("start", "stop", "play") and "turn_on" not in entity.vocabulary.actions:
        return None  # to stop a curtain is not to close it
    if verb in (*_ON, *_OFF):
        return switch(entity, on=verb in _ON)
    return None


def _set(
    situation: Situation, body: Body, who: Who, pairs: tuple[tuple[str, Pointer | str], ...]
) -> Understood:
    verb = next((key for key, _ in pairs if key != "value"), "value")
    owner = selector(situation, who, verb, pairs[0][1]) if len(pairs) == 1 else None
    if owner is not None:
        situation, verb, pairs = situation.chosen((owner.id,)), "value", (("value", pairs[0][1]),)

    def make(entity: Entity, found: Targets) -> Made:
        calls = setting(situation, entity, pairs)
        if calls is not None and found.group and len(found.entities) > 1:
            kept = [one for one in calls if _supported(situation, one)]
            return kept or None
        return calls

    parts = _each(situation, body, who, verb, make)
    if parts and all(isinstance(one, Unable) for one in parts) and who.what != "it":
        # Nothing of a class has it: let the guard say which attribute that is.
        found = situation.targets(who, verb)
        calls = [call for one in found.entities for call in setting(situation, one, pairs) or ()]
        return (Do(tuple(calls[:1])),) if calls else parts
    return parts


def _adjust(
    situation: Situation, body: Body, who: Who, key: str, *, more: bool, by: Pointer | None
) -> Understood:
    def make(entity: Entity, found: Targets) -> Made:
        name = parameter(situation, entity, key, None)
        call = adjusting(situation, entity, key, more=more, by=by)
        if name is None or call is None:
            return None
        if found.group and len(found.entities) > 1:
            if not _supported(situation, call):
                return None
            lit = [one for one in found.entities if situation.state.get(one.id) != "off"]
            # "All lights brighter" lights none that is off.
            return call if not lit or situation.state.get(entity.id) != "off" else []
        return call

    return _each(situation, body, who, "volume" if key == "value" else key, make)


def _clean(situation: Situation, body: Body, who: Who, area: Pointer) -> Understood:
    ids = situation.ids(area)
    if not ids:
        return ()
    return _each(
        situation, body, who, "clean",
        lambda one, _: Call("clean", one.id, {"area": ids[0]}) if one.domain == "vacuum" else None,
    )  # fmt: skip


def _remove(situation: Situation, body: Remove, who: Who) -> Understood:
    talked = [id for id in situation.focus.ids if id.partition(".")[0] in RECORDS]
    if who.what in ("todo", "shopping") or (who.it and not talked):
        holding = lists_with(situation, body)
        if len(holding) == 1 and not situation.forced:
            situation = situation.chosen(holding)
    several = several_entries(situation, body, who)
    if several:
        # "Cancel that alarm", of two: they are told, and none is cancelled.
        return (Question(several, "list"),)
    parts = _each(situation, body, who, "remove", lambda one, _: removed(situation, one, body))
    # A list with nothing on it, or nothing but what shall stay.
    return parts or (Absent(thing="item"),)


def _unable(situation: Situation, who: Who | None, text: Quote | None) -> Understood:
    words = situation.words(text)
    found = situation.targets(who, "unable") if who else Targets()
    if found.entities:
        return tuple(Unable(one.id, words) for one in found.entities[:1])
    return (Unable(words=words),)


def _taught(situation: Situation, form: Taught) -> Understood:
    words = situation.words(form.text)
    found = situation.targets(form.who, "name") if form.who else Targets()
    about = tuple(one.id for one in found.entities)
    match form.verb:
        case "name":
            if len(about) == 1:
                return (Teach("name", name=words, about=about),)
            if not found.open:
                return tuple(found.absent)
            return (Which(found.open, lambda ids: (Teach("name", name=words, about=ids[:1]),)),)
        case "forget":
            return (Teach("forget", name=words, about=about),)
    assert form.verb == "prefer"
    mark = situation.mark(form.value) if isinstance(form.value, Pointer) else None
    value = mark.value if mark is not None else str(form.value)
    if not isinstance(value, str | int | float):
        return ()
    about = tuple(
        id for id in situation.focus.ids[:1] if form.key in PARAMETERS.get(id.partition(".")[0], {})
    )
    return (Teach("prefer", key=form.key, value=value, about=about),)
