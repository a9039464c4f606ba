"""Lists, clocks, phone, navigation and robot: what forms about them mean, as parts of a turn.

served(situation, Serve("call", Pointer("contact", 1)))   # (Do((Call("call", ...),)),)
removed(situation, entity, form)                          # calls for one list
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping

from qingyu.act.calls import RECORDS, Call
from qingyu.act.forms.terms import Add, Plain, Pointer, Quote, Remove, Serve, Turn, Walk, Who
from qingyu.act.marks.mark import Mark
from qingyu.act.resolving.situation import Situation
from qingyu.act.resolving.verbs import ACTIONS
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.act.spoken.times import Found
from qingyu.act.understood import Absent, Do, Unable, Understood, Which
from qingyu.act.values import MOMENT, TIME, tidy
from qingyu.act.when import When, falls_on
from qingyu.act.world import Entity, Record, Scalar, plain
from qingyu.errors import InvalidRequestError

_TEXT = {"timer": "label", "reminder": "text", "calendar": "title"}
_VERBS = {"call": ("dialer", "call", "contact"), "launch": ("app", "open", "app"),
          "navigate": ("navigator", "navigate", "place"), "go": ("robot", "go_to", "place"),
          "follow": ("robot", "follow", "target")}  # fmt: skip
"""Domain, action and parameter of the verbs that take one thing."""
_THE_ONE = re.compile(
    r"闹[钟铃]|提醒|定时|计时|日程|<(?:alarm|timer|reminder|calendar)>"
    r"|\b(?:the|my|that|this) (?:alarm|timer|reminder|event|meeting|appointment)\b"
)
_ONE_OF_DAY = re.compile(
    r"一[个项场条]|[那这][个项场条]"
    r"|(?:\b(?:the|my|that|this)|'s) (?:alarm|timer|reminder|event|meeting|appointment)\b"
)
_EVERY = re.compile(r"全|所有|每|清|一律|统统|\b(?:all|every|everything|clear)\b")
_ALL = re.compile(
    r"都|全|所有|每|清|一律|统统|[这那]些|几个|[两俩]"
    r"|\b(?:all|every|everything|both|clear|alarms|timers|reminders|events|meetings"
    r"|appointments|those|them)\b"
)
_WAKES = re.compile(
    r"叫(?:我|他|她|大家|我们)?(?:起|醒|吧|一下|$)|起床|闹醒|\bwak(?:e|ing)\b|\bget (?:me )?up\b"
)
_NAP = re.compile(r"午觉|午睡|小睡|眯|打个盹|\bnap\b")
EVENING = 19
"""From this hour on, or for another day, somebody who is to be woken at five means the morning."""
MORNING = datetime.time(9)
"""When it is to be on a day of which no time was said."""
Matching = Callable[[Record], bool]


# Lists.


def added(situation: Situation, entity: Entity, form: Add) -> Call | None:
    """The call that puts something on a list; None where this is no list."""
    text = situation.words(form.text) if form.text else ""
    marks = [mark for one in form.marks if (mark := situation.mark(one)) is not None]
    match entity.domain:
        case "todo":
            return Call("add", entity.id, {"item": text}) if text else None
        case "timer":
            timer: dict[str, Scalar] = {"label": text} if text else {}
            seconds = _seconds(situation, marks)
            return Call("start", entity.id, timer | ({"seconds": seconds} if seconds else {}))
        case "alarm":
            return Call("add", entity.id, _alarm(situation, marks))
        case "reminder" | "calendar":
            key = _TEXT[entity.domain]
            at = moment(situation, marks)
            words = text or entity.name("zh" if has_hanzi(situation.marked.text) else "en")
            arguments: dict[str, Scalar] = {key: words}
            return Call("add", entity.id, arguments | ({"at": at.strftime(MOMENT)} if at else {}))
    return None


def _seconds(situation: Situation, marks: list[Mark]) -> int:
    """Of a timer: a length of time, the time until a moment, or a bare number of minutes."""
    for one in marks:
        if one.type == "duration" and isinstance(one.value, int | float):
            return round(one.value)
        if one.type == "number" and isinstance(one.value, int | float):
            return round(one.value * 60)
    at = moment(situation, marks)
    return round((at - situation.now).total_seconds()) if at else 0


def _alarm(situation: Situation, marks: list[Mark]) -> dict[str, Scalar]:
    at = moment(situation, marks)
    if at is None:
        return {}
    found = [one.value for one in marks if isinstance(one.value, Found)]
    hours = {time for one in found for time in one.readings}
    if len(hours) == 2 and _at_dawn(situation, found):
        early = [one for one in hours if 4 <= one.hour < 12]
        at = datetime.datetime.combine(at.date(), early[0]) if early else at
    often = next((one.days for one in found if one.days != "once"), "")
    weekday = next((one.weekday for one in found if one.weekday), "")
    return {"time": at.strftime(TIME), "days": often or weekday or "once"}


def _at_dawn(situation: Situation, found: list[Found]) -> bool:
    """Whether somebody is to get up, and not from a nap in the afternoon."""
    text, hour = situation.marked.text, situation.now.hour
    other_day = any(one.day or one.weekday for one in found)
    nightly = other_day or hour >= EVENING or hour < 4
    return nightly and bool(_WAKES.search(text)) and not _NAP.search(text)


def moment(situation: Situation, marks: list[Mark]) -> datetime.datetime | None:
    """The moment some marks mean together: a time, a day and a time, a day (nine in the morning),
    a while from now."""
    times = [one.value for one in marks if isinstance(one.value, Found) and one.value.when]
    days = [one.value.day for one in marks if isinstance(one.value, Found) and one.value.day]
    if times:
        time = times[0]
        if days and time.day is None and time.readings:
            late = [one for one in time.readings if one.hour >= 6]
            return datetime.datetime.combine(days[0], (late or list(time.readings))[0])
        assert time.when is not None
        return _due(situation, time.when)
    if days:
        return datetime.datetime.combine(days[0], MORNING)
    for one in marks:
        if one.type == "duration" and isinstance(one.value, int | float):
            return situation.now + datetime.timedelta(seconds=float(one.value))
    return None


def _due(situation: Situation, when: When) -> datetime.datetime | None:
    """None for one by the sun where nobody knows when it sets."""
    try:
        return when.due(situation.now, situation.world.sun)
    except InvalidRequestError:
        return None


def removed(situation: Situation, entity: Entity, form: Remove) -> list[Call] | None:
    """The calls that take something off a list; None where this is no list."""
    if entity.domain not in RECORDS or entity.domain == "messenger":
        return None
    action = "cancel" if entity.domain == "timer" else "remove"
    entries = _entries(situation, entity)
    if form.what is None and not form.but:
        just = _just_added(situation, entity, entries)
        if just and (form.who.it or entity.domain != "todo"):
            return [Call(action, entity.id, dict(one)) for one in just]
        if entity.domain != "todo":
            return [Call(action, entity.id)]
    wanted = _matching(situation, entity, form.what) if form.what else lambda _: True
    stays = [_matching(situation, entity, one) for one in form.but]
    gone = [one for one in entries if wanted(one) and not any(fits(one) for fits in stays)]
    if not gone and form.what is not None:
        if entity.domain == "alarm" and not _says_when(situation, form.what):
            # Alarms have no words: "the wake-up one" is the only one.
            one_alarm = entries if len(entries) == 1 else []
            return [Call(action, entity.id, dict(one)) for one in one_alarm] or None
        # The guard says that there is no such entry.
        return [Call(action, entity.id, _sought(situation, entity, form.what))]
    return [Call(action, entity.id, dict(one)) for one in gone]


def _just_added(situation: Situation, entity: Entity, entries: list[Record]) -> list[Record]:
    """Of "set an alarm for six", "cancel it": that one, and not the others."""
    added = [
        one.arguments
        for one in situation.focus.calls
        if one.entity == entity.id and one.action in ("add", "start")
    ]
    text = situation.marked.text
    if _EVERY.search(text) or (len(added) == 1 and _ALL.search(text)):
        return []
    return [
        one
        for one in entries
        if any(all(one.get(key) == value for key, value in each.items()) for each in added)
    ]


def several_entries(situation: Situation, form: Remove, who: Who) -> tuple[str, ...]:
    """The lists of "cancel the alarm" that have more than one entry that may be meant, and of which
    none was just added."""
    text = situation.marked.text
    of_day = isinstance(form.what, Pointer) and form.what.domain == "day"
    one = _ONE_OF_DAY if of_day else _THE_ONE
    if form.but or not one.search(text) or _ALL.search(text) or not (of_day or form.what is None):
        return ()
    found = situation.targets(who, "remove").entities
    return tuple(
        one.id
        for one in found
        if one.domain in ("alarm", "timer", "reminder", "calendar")
        and not _just_added(situation, one, _entries(situation, one))
        and len(_meant(situation, one, form.what)) > 1
    )


def _meant(situation: Situation, entity: Entity, what: Pointer | Quote | None) -> list[Record]:
    """The entries of a list that are spoken of; None: all."""
    fits: Matching = _matching(situation, entity, what) if what else lambda _: True
    return [one for one in _entries(situation, entity) if fits(one)]


def _says_when(situation: Situation, what: Pointer | Quote) -> bool:
    mark = situation.mark(what) if isinstance(what, Pointer) else None
    return mark is not None and moment(situation, [mark]) is not None


def lists_with(situation: Situation, form: Remove) -> tuple[str, ...]:
    """The to-do lists that have an item on them."""
    if form.what is None:
        return ()
    fits = form.what
    return tuple(
        one.id
        for one in situation.world.select(domain="todo")
        if any(map(_matching(situation, one, fits), _entries(situation, one)))
    )


def _entries(situation: Situation, entity: Entity) -> list[Record]:
    entries = situation.state.get(entity.id, RECORDS[entity.domain]) or ()
    assert isinstance(entries, tuple)
    return [{"item": one} if isinstance(one, str) else one for one in entries]


def _sought(situation: Situation, entity: Entity, what: Pointer | Quote) -> dict[str, Scalar]:
    words = situation.words(what)
    if entity.domain == "todo":
        return {"item": words}
    mark = situation.mark(what) if isinstance(what, Pointer) else None
    if entity.domain == "alarm" and mark is not None:
        at = moment(situation, [mark])
        return {"time": at.strftime(TIME)} if at else {"time": words}
    if entity.domain == "timer":
        return {"seconds": mark.value} if mark and isinstance(mark.value, int) else {"label": words}
    return {_TEXT.get(entity.domain, "time"): words}


def _matching(situation: Situation, entity: Entity, what: Pointer | Quote) -> Matching:
    """Whether an entry is the one that is meant: by its words, in part, or by its time."""
    mark = situation.mark(what) if isinstance(what, Pointer) else None
    value = mark.value if mark is not None else situation.words(what)
    if isinstance(value, Found):
        return _timed(situation, entity, value)
    if isinstance(value, int | float):
        seconds = value * 60 if mark is not None and mark.type == "number" else value
        return lambda one: one.get("seconds") == seconds or one.get("item") == str(value)
    words = plain(str(value))
    keys = ("item", "label", "text", "title")
    known = [plain(str(one.get(key, ""))) for one in _entries(situation, entity) for key in keys]
    if words in known:
        return lambda one: any(plain(str(one.get(key, ""))) == words for key in keys)
    return lambda one: any(_alike(words, plain(str(one.get(key, "")))) for key in keys)


def _alike(words: str, other: str) -> bool:
    return bool(words and other) and (words in other or other in words)


def _timed(situation: Situation, entity: Entity, found: Found) -> Matching:
    clocks = {one.strftime(TIME) for one in found.readings}
    if found.when is not None and not clocks:
        at = _due(situation, found.when)
        clocks = {at.strftime(TIME)} if at else set()
    if entity.domain == "alarm":
        often = found.weekday if found.days == "once" else found.days
        known = {str(one.get("days", "once")) for one in _entries(situation, entity)}
        if found.day is None or often in known or clocks:
            wanted = {often} if often and (found.days != "once" or not clocks) else known
        else:  # those that ring on that day
            wanted = {one for one in known if one != "once" and falls_on(one, found.day)}
        return lambda one: (
            (not clocks or one.get("time") in clocks) and one.get("days", "once") in wanted
        )
    day = found.day.isoformat() if found.day else ""
    return lambda one: (
        str(one.get("at", "")).startswith(day)
        and (not clocks or str(one.get("at", ""))[-5:] in clocks)
    )


# Phone, navigation, robot.


def served(situation: Situation, form: Serve) -> Understood:
    """What a verb of a phone, a car or a robot means. It is a question where its words are a part
    of several names, and absent where they are of none."""
    match form.verb:
        case "hangup":
            return _one(situation, "dialer", "hang_up")
        case "arrive":
            return _one(situation, "navigator", "stop")
        case "send":
            return _sent(situation, form)
    domain, action, key = _VERBS[form.verb]
    entity = situation.only(domain)
    if entity is None and form.verb in ("go", "navigate"):
        domain = "navigator" if form.verb == "go" else "robot"
        action = "navigate" if form.verb == "go" else "go_to"
        entity = situation.only(domain)
    if entity is None:
        return (Absent(words=situation.words(form.what), thing=_VERBS[form.verb][0]),)
    device = entity
    if key == "contact":
        if stranger := _of_another_name(situation, form.what):
            return (Absent(words=stranger, thing="contact"),)
        values = _contacts(situation, form.what)
        kind = "contact"
    else:
        values = _options(situation, device, key, form.what)
        kind = "area" if key == "place" and domain == "robot" else "option"
    if not values:
        named = situation.words(form.what) if not isinstance(form.what, str) else ""
        return (Absent(words=named, thing=key),)

    def again(chosen: tuple[str, ...]) -> Understood:
        return (Do(tuple(Call(action, device.id, {key: one}) for one in chosen[:1])),)

    return again(values) if len(values) == 1 else (_which(values, again, kind),)


def _which(
    values: tuple[str, ...], again: Callable[[tuple[str, ...]], Understood], kind: str
) -> Which:
    assert kind in ("contact", "area", "option")
    if kind == "contact":
        return Which(values, again, "contact")
    return Which(values, again, "area" if kind == "area" else "option")


def _one(situation: Situation, domain: str, action: str) -> Understood:
    entity = situation.only(domain)
    return (Do((Call(action, entity.id),)),) if entity else (Absent(thing=domain),)


def _sent(situation: Situation, form: Serve) -> Understood:
    entity = situation.only("messenger")
    if entity is None:
        return (Absent(thing="messenger"),)
    device = entity
    values = _contacts(situation, form.what)
    if not values:
        return (Absent(words=situation.words(form.what), thing="contact"),)
    text = situation.words(form.text)

    def again(chosen: tuple[str, ...]) -> Understood:
        calls = (Call("send", device.id, {"contact": one, "text": text}) for one in chosen[:1])
        return (Do(tuple(calls)),)

    return again(values) if len(values) == 1 else (Which(values, again, "contact"),)


def _contacts(situation: Situation, what: Pointer | Quote | str | None) -> tuple[str, ...]:
    """The people a mark or a part of a name can mean."""
    if what == "it":
        said = [one.arguments.get("contact") for one in situation.focus.calls]
        return tuple(one for one in said if isinstance(one, str))[-1:]
    if isinstance(what, Pointer) and situation.ids(what):
        return situation.ids(what)
    words = plain(situation.words(what))
    exact = [one.value for one in situation.world.contacts_named(words)]
    part = [
        one.value
        for one in situation.world.contacts
        if words
        and any(
            _begins(words, name) or (len(words) > 1 and name.endswith(words))
            for name in one.plain_names
        )
    ]
    return tuple(exact or part)


_SURNAME = re.compile(r" ([A-Z][a-z]+)\b(?!')")


def _of_another_name(situation: Situation, what: Pointer | Quote | str | None) -> str:
    """Sarah Jones, where there is a Sarah Miller only; "" for whoever is known."""
    mark = situation.mark(what) if isinstance(what, Pointer) else None
    if mark is None or not mark.words[:1].isupper():
        return ""
    surname = _SURNAME.match(situation.marked.said, mark.end)
    known = (name for one in situation.world.contacts for name in one.plain_names)
    if surname is None or any(plain(surname[1]) in name.split() for name in known):
        return ""
    return mark.words + surname[0]


def _options(
    situation: Situation, entity: Entity, key: str, what: Pointer | Quote | str | None
) -> tuple[str, ...]:
    """The options of a device, or the areas for a robot, that can be meant."""
    known = entity.options.get(key, ())
    areas = situation.world.areas if key == "place" and entity.domain == "robot" else ()
    if what == "here":
        return (situation.speaker,) if situation.speaker else ()
    if what == "me":
        found = [entity.option_called(one, known) for one in ("speaker", "me", "我")]
        return tuple(dict.fromkeys(one for one in found if one))[:1]
    if isinstance(what, Pointer) and what.domain == "area" and areas:
        ids = situation.ids(what)
        reachable = tuple(one for one in ids if not known or one in known)
        return reachable or ids[:1]
    words = situation.words(what)
    exact = entity.option_called(words, known)
    if exact is not None:
        return (exact,)
    named = [one.id for one in areas if plain(words) in one.plain_names]
    if named:
        return tuple(named)
    part = [one for one in known if _part(words, (one, *entity.option_names.get(one, ())))] + [
        one.id for one in areas if one.id in known and _part(words, one.names)
    ]
    return tuple(dict.fromkeys(part))


def _part(words: str, names: Iterable[str]) -> bool:
    """Whether words are a part of a name, English ones whole words of it."""
    said = plain(words).removeprefix("the ")
    if not said:
        return False
    edge = r"\b" if said.isascii() else ""
    return any(re.search(edge + re.escape(said) + edge, plain(name)) for name in names)


def _begins(words: str, name: str) -> bool:
    """Whether words begin a word of a name, or for Chinese are in it."""
    return re.search((r"\b" if words.isascii() else "") + re.escape(words), name) is not None


def named_like(words: str, names: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Of {id: names}, the ids one of whose names has the words in it."""
    return tuple(id for id, some in names.items() if _part(words, some))


def moved(situation: Situation, form: Plain | Walk | Turn) -> Understood:
    """A robot's own verbs; "halt" is for all of them, the others for the one that was named, else
    the one here."""
    robots = situation.world.select(domain="robot")
    if not robots:
        return (Absent(thing="robot"),)
    if isinstance(form, Plain) and form.verb == "halt":
        return (Do(tuple(Call("stop", one.id) for one in robots)),)
    named = [id for mark in situation.marked.marks if mark.domain == "robot" for id in mark.ids]
    robot = situation.only("robot")
    assert robot is not None
    id = named[0] if named else robot.id
    if isinstance(form, Plain):
        return (Do((Call(ACTIONS[form.verb]["robot"], id),)),)
    pointer = form.distance if isinstance(form, Walk) else form.angle
    mark = situation.mark(pointer) if isinstance(pointer, Pointer) else None
    amount = pointer if isinstance(pointer, int) else mark.value if mark else None
    if not isinstance(amount, int | float):
        return (Unable(id, situation.words(pointer if isinstance(pointer, Pointer) else None)),)
    if isinstance(form, Walk):
        distance = -abs(amount) if form.back else amount
        return (Do((Call("walk", id, {"distance": tidy(distance)}),)),)
    return (Do((Call("turn", id, {"angle": tidy(-abs(amount) if form.left else amount)}),)),)
