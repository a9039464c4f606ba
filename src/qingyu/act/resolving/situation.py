"""Where and when something is said, and which devices it means there.

    found = situation.targets(Who("light"), verb="on")
    found.entities           # to act on
    found.open               # ids of those of which one is meant, and it is not clear which
    found.absent             # if there is nothing of it

A class without a place means all of it where the speaker is; where there is none of it, the only
one of the household; else it is asked back. A name that several devices share means the one where
the speaker is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from qingyu.act.forms.terms import Pointer, Quote, Scope, Value, Who
from qingyu.act.marks.mark import SIGNS, Mark, Marked
from qingyu.act.resolving.class_words import kind_said, narrowed
from qingyu.act.resolving.classes import members
from qingyu.act.resolving.parameters import PARAMETERS
from qingyu.act.spoken.times import Found
from qingyu.act.state import State
from qingyu.act.understood import Absent, Focus
from qingyu.act.world import Entity, World

_OF_PLAYING = frozenset({"pause", "stop", "next", "previous", "mute", "unmute", "volume"})
"""What people say about the player that plays, without a word for which."""
_HERE = re.compile(
    r"\b(?:in|from) (?:here|this room)\b|\baround here\b|(?<!离开)这(?:屋|间|个?房间|里头|里|儿)"
    r"|(?<![个有间各每他全的])(?:屋里|房间里)"
)
"""Where "all of them" are not all of the household."""
_THEIRS = re.compile(
    r"\b(?:his|her|their|its)\b(?= (?:[\w-]+ )?(?:lights?|lamps?|lighting|radiators?|heater"
    r"|heating|ac|air|fans?|blinds?|curtains?|shutters?|windows?|doors?|locks?|tv|telly|speakers?|music"
    r"|media|sockets?|switch(?:es)?|thermostat|temperature|humidi\w+|bed\w*|room|side|end|place)\b)"
    r"|\b(?:his|hers|theirs)\b(?= (?:too|as well|also|off|on|up|down|open|closed|shut|instead)\b"
    r"| ?[,.;!?]|$)|那(?:边|屋|间|头|儿)|[他她]那"
)
"""Somebody's things or room; whose parcel it is, or whose key, says nothing of that."""
_THOSE = re.compile(
    r"\b(?:them|those|these|they're|they) (?:all|both)\b|\b(?:all|both) of (?:them|those|these)\b"
    r"|\b(?:turn|switch|shut|close|open|put|get|lock|dim|bring|take) (?:them|those|these)\b"
    r"|它们(?=都|全|$)|[那这](?:<number>[1-9]|些|几|[两俩三四])[个盏台扇]?[灯帘锁]?(?=都|全|也|$)"
)
_WHOLE = re.compile(
    r"\b(?:all|every|each)(?: of)?(?: the| my| our)?(?: \w+)? (?:lights?|lamps?|blinds?|curtains?"
    r"|windows?|doors?|radiators?|heaters?|fans?|speakers?|things?|devices?)\b"
    r"|\b(?:everything|every|rest|others?|except|but|leave|keep|house|home|whole|anything)\b"
    r"|除|其他|其余|别的|家里|全屋|全家|所有|留"
)
"""What is more than those."""
_HANGING = ("curtain", "blind", "shade")
_ONE = re.compile(
    r"(?<![每第另])一[盏扇幅](?!一|[都也]?[不没])|[开关灭点熄掉停留删剩]一个(?![一遍])|一个(?:灯|帘|窗|门)"
    r"|[那这][盏扇幅台]|[那这]个(?:帘|窗|音响|音箱|喇叭|电器|机器|插座|风扇|空调|暖气)"
    r"|\bone of (?:the|those|these|them)\b|\b(?:just|only) one (?:light|lamp|blind|window)\b"
)
"""One of several, and not which."""
_SEVERAL = re.compile(r"它们|都|全|俩|两|\b(?:them|those|both)\b")
_THAT_ONE = re.compile(r"[那这]个(?![时是把帮给,])|\bthat (?:one|thing)\b")
_HEATING = re.compile(r"(?<!floor )(?<!seat )\bheat(?:ing)?\b|供暖|取暖|暖风|制热")
_SCREENS = ("tv", "电视", "投影", "projector", "screen", "屏")
CLASS_OF = {
    "mute": "volume", "unmute": "media", "pause": "media", "play": "media", "next": "media",
    "previous": "media", "brightness": "light", "color": "light", "warmth": "light",
    "temperature": "climate", "volume": "volume", "position": "cover", "speed": "fan",
    "swing": "fan", "humidity": "humidifier", "heating": "seat", "ventilation": "seat",
    "source": "media", "limit": "charger", "lock": "lock", "unlock": "lock", "fan": "climate",
    "open": "cover", "close": "cover", "dock": "vacuum", "return": "vacuum",
    "add": "todo", "remove": "todo",
}  # fmt: skip
"""What "it" is where nothing was talked about, or what was cannot do it."""
_TAKING = {
    **dict.fromkeys(("add", "remove"), ("todo", "timer", "alarm", "reminder", "calendar")),
    "mute": ("media_player", "level"), "pause": ("media_player", "vacuum", "robot"),
    "lock": ("lock", "cover"), "unlock": ("lock", "cover"), "dock": ("vacuum", "robot"),
    "return": ("vacuum", "robot"), **dict.fromkeys(("unmute", "play", "next", "previous"),
    ("media_player",)),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Targets:
    """group: meant as a class, so that those of it which lack an attribute are not meant."""

    entities: tuple[Entity, ...] = ()
    open: tuple[str, ...] = ()
    absent: tuple[Absent, ...] = ()
    group: bool = False


@dataclass(frozen=True, kw_only=True)
class Situation:
    """forced: the devices chosen after "which one"; they are meant then, whatever was said."""

    marked: Marked
    world: World
    state: State
    speaker: str
    now: datetime.datetime
    focus: Focus
    forced: tuple[str, ...] = ()

    def chosen(self, ids: Iterable[str]) -> Situation:
        return replace(self, forced=tuple(ids))

    # What a form points at.

    def mark(self, pointer: Pointer) -> Mark | None:
        """None where the sentence has no such mark: a model may still write one by mistake."""
        mark = self.marked.mark(pointer.number)
        return mark if mark is not None and mark.type == pointer.type else None

    def value(self, pointer: Pointer) -> Mark | None:
        """The mark of a value: a whole hour is a number here ("volume at five")."""
        mark = self.mark(pointer)
        if mark is None or not isinstance(mark.value, Found):
            return mark
        hours = [one for one in mark.value.readings if not one.minute]
        if not hours or mark.value.day or mark.value.days != "once":
            return None
        return replace(mark, type="number", value=hours[0].hour or 12)

    def words(self, what: Pointer | Quote | Value | None) -> str:
        """What was said, in its own words."""
        if isinstance(what, Quote):
            return self.marked.original(what.text)
        if isinstance(what, Pointer):
            mark = self.mark(what)
            return mark.words if mark else ""
        return what or ""

    def ids(self, pointer: Pointer) -> tuple[str, ...]:
        mark = self.mark(pointer)
        return mark.ids if mark else ()

    def areas(self, places: Iterable[Pointer]) -> tuple[str, ...]:
        """Ids of the areas that some areas and floors are or have."""
        found: list[str] = []
        for place in places:
            for id in self.ids(place):
                if place.domain == "floor":
                    found += [one.id for one in self.world.areas_on(id)]
                else:
                    found.append(id)
        return tuple(dict.fromkeys(found))

    # Which devices.

    def targets(self, who: Who, verb: str) -> Targets:
        """verb: what is to be done, or the key that is set; it decides which player is meant."""
        if self.forced:
            some = tuple(one for one in self.world.entities if one.id in self.forced)
            return Targets(entities=some)
        if who.it:
            return self._it(who.scope, verb)
        if isinstance(who.what, tuple):
            return self._named(who.what, who.scope)
        found = self.group(who.what, who.scope, verb)
        one = _ONE.search(self._near(who.scope))
        if one is None or who.scope.everywhere or len(found.entities) < 2:
            return found
        lights = tuple(each.id for each in found.entities if each.domain == "light")
        every = tuple(each.id for each in found.entities)
        return Targets(open=(lights or every) if "盏" in one[0] else every)

    def _near(self, scope: Scope) -> str:
        """The piece of the sentence that names the first place of a scope; else all of it."""
        text = self.marked.text
        if not scope.at:
            return text
        pieces = SIGNS.split(text)
        at = [number for number, one in enumerate(pieces) if str(scope.at[0]) in one]
        # "One lamp in the bedroom hurts my eyes, off with it": the place may be a piece of its own.
        return text if not at or len(pieces) <= 2 else pieces[at[0]]

    def only(self, domain: str) -> Entity | None:
        """The service of a domain: the one here, else the first; None where there is none."""
        some = self.world.select(domain=domain)
        here = [one for one in some if self.speaker and one.area == self.speaker]
        return next(iter(here or some), None)

    def here(self, some: Iterable[Entity]) -> tuple[Entity, ...]:
        return tuple(one for one in some if self.speaker and one.area == self.speaker)

    def _it(self, scope: Scope, verb: str) -> Targets:
        some = tuple(one for id in self.focus.ids if (one := self.world.entity(id)) is not None)
        if verb in CLASS_OF and not any(map(partial(_takes, verb), some)):
            return self.group(CLASS_OF[verb], scope, verb)
        if scope.at and some:
            areas = self.areas(scope.at)
            like = self.world.select(domain=some[0].domain, kind=some[0].kind)
            some = tuple(one for one in like if one.area in areas)
            if not some:
                return Targets(absent=(Absent(thing=like[0].domain, places=areas),))
        picked = which_said(self.marked) if len(some) > 1 else None
        if picked is not None and picked >= len(some):  # the fifth of three
            return Targets(open=tuple(one.id for one in some))
        if picked is not None:
            some = (some[picked],)
        text = self.marked.text
        if picked is None and len(some) > 1 and not scope.everywhere and not _WHOLE.search(text):
            unlike = len({one.domain for one in some}) > 1 and not _SEVERAL.search(text)
            if _ONE.search(text) or (unlike and _THAT_ONE.search(text)):
                return Targets(open=tuple(one.id for one in some))
        return Targets(entities=self._without(some, scope), group=len(some) > 1)

    def _named(self, marks: tuple[Pointer, ...], scope: Scope) -> Targets:
        entities: list[Entity] = []
        unclear: list[str] = []
        absent: list[Absent] = []
        areas = self.areas(scope.at)
        for pointer in marks:
            ids = self.ids(pointer)
            some = [one for one in self.world.entities if one.id in ids]
            if scope.at and (len(some) > 1 or _is_elsewhere(some, areas)):
                near = [one for one in some if one.area in areas]
                if not near:
                    absent.append(Absent(words=self.words(pointer), places=areas))
                some = near
            if len(some) > 1 and not scope.everywhere:
                some = list(self.here(some)) or some
            if len(some) > 1 and not scope.everywhere:
                unclear += [one.id for one in some]
            else:
                entities += some
        left = self._without(_once(entities), scope)
        return Targets(entities=left, open=tuple(unclear), absent=tuple(absent))

    def members(self, name: str, verb: str = "") -> tuple[Entity, ...]:
        """The devices of a class: 帘子 are curtains and blinds; an air conditioner that heats is
        part of the heating as long as it is asked about or to end."""
        some = members(self.world, name, verb)
        if name in ("curtain", "blind") and "帘子" in self.marked.text:
            return tuple(one for one in self.world.entities if one.kind in _HANGING)
        ends = verb in ("off", "stop", "close", "ask")
        if name != "heater" or not ends or not _HEATING.search(self.marked.text):
            return some
        heating = members(self.world, "heating")
        return _once((*some, *(one for one in heating if self.state.get(one.id) == "heat")))

    def group(self, name: str, scope: Scope, verb: str = "") -> Targets:
        """The devices of a class in a scope."""
        text = self.marked.text
        some = self.members(name, verb)
        if name in ("door", "window", "cover") and (kind := kind_said(text)):
            # A sunroof is no window, but that is what the form may call it.
            some = self.world.select(domain="cover", kind=kind) or some
        if scope.at:
            areas = self.areas(scope.at)
            there = narrowed(name, (one for one in some if one.area in areas), text)
            there = there or _instead(self.world, name, lambda one: one.area in areas)
            if not there:
                return Targets(absent=(Absent(thing=name, places=areas),))
            return self._left(name, there, scope)
        there = self._theirs(some) or (self._those(some) if scope.everywhere else ())
        if there:
            return self._left(name, there, scope)
        near = narrowed(name, self.here(some), text)
        some = narrowed(name, some, text) or _instead(self.world, name, lambda _: True)
        if not some:
            return Targets(absent=(Absent(thing=name),))
        if scope.everywhere:
            here = self.here(some) if _HERE.search(text) else ()
            return self._left(name, here or some, scope)
        if scope.elsewhere:
            here_ids = {one.id for one in self.here(some)}
            some = tuple(one for one in some if one.id not in here_ids)
            if len(some) == 1:
                return Targets(entities=some)
            return Targets(open=tuple(one.id for one in some))
        some = _once((*near, *some))
        if name == "volume" or (name == "media" and verb in (*_OF_PLAYING, "play")):
            return self._players(some, verb)
        here = self.here(some) or self.here(_instead(self.world, name, lambda _: True))
        if not here and len(some) > 1:
            return Targets(open=tuple(one.id for one in some), group=True)
        return self._left(name, here or some, scope)

    def _theirs(self, some: Iterable[Entity]) -> tuple[Entity, ...]:
        """Of "his radiator", 那边的灯: of a class those where what was just talked about is."""
        if not _THEIRS.search(self.marked.text):
            return ()
        talked = [self.world.entity(id) for id in self.focus.ids]
        areas = {one.area for one in talked if one is not None and one.area}
        return tuple(one for one in some if one.area in areas) if len(areas) == 1 else ()

    def _those(self, some: Iterable[Entity]) -> tuple[Entity, ...]:
        """Of "turn them all off": of a class those that were just talked about, if several."""
        text = self.marked.text
        if not _THOSE.search(text) or _WHOLE.search(text):
            return ()
        talked = tuple(one for one in some if one.id in self.focus.ids)
        return talked if len(talked) > 1 else ()

    def _left(self, name: str, some: tuple[Entity, ...], scope: Scope) -> Targets:
        """Without the exceptions; there is nothing of it where these are all."""
        left = self._without(some, scope)
        absent = () if left else (Absent(thing=name, places=self.areas(scope.at)),)
        return Targets(entities=left, absent=absent, group=True)

    def _players(self, some: tuple[Entity, ...], verb: str) -> Targets:
        """Of players and volumes: those that play here, else what is here, else what plays."""
        levels = tuple(one for one in some if one.domain == "level")
        players = tuple(one for one in some if one.domain != "level")
        here = self.here(players)
        wanted = "paused" if verb == "play" else "playing"
        active = [one for one in here if self.state.get(one.id) == wanted]
        if active:
            return Targets(entities=tuple(active), group=True)
        elsewhere = tuple(one for one in players if self.state.get(one.id) == wanted)
        if levels and (self.here(levels) or not elsewhere):
            near = self.here(levels) or levels
            media = [one for one in near if _sounds(one)]
            return Targets(entities=((media or list(near))[0],), group=True)
        if verb == "play" and len(here) > 1:
            heard = [one for one in here if not _shows(one)]
            here = tuple(heard) if heard else here
            if len(here) > 1:
                return Targets(open=tuple(one.id for one in here), group=True)
        if verb in ("pause", "stop", "next", "previous") and len(elsewhere) == 1:
            return Targets(entities=elsewhere, group=True)
        if here:
            return Targets(entities=here, group=True)
        pool = elsewhere or players
        if len(pool) == 1:
            return Targets(entities=pool, group=True)
        return Targets(open=tuple(one.id for one in pool), group=True)

    def _without(self, some: tuple[Entity, ...], scope: Scope) -> tuple[Entity, ...]:
        for one in scope.but:
            if isinstance(one, str):
                gone = {other.id for other in members(self.world, one)}
                some = tuple(other for other in some if other.id not in gone)
            elif one.domain in ("area", "floor"):
                areas = self.areas((one,))
                some = tuple(other for other in some if other.area not in areas)
            else:
                ids = self.ids(one)
                some = tuple(other for other in some if other.id not in ids)
        return some


_PLACE_SAID = (
    (0, re.compile(r"\bformer\b|前一?[个盏]|前一台|前面(?:那|的)?[个盏台]|前者|第一[个盏台]")),
    (-1, re.compile(r"\blatter\b|\blast (?:one|of th(?:em|ose|ese))\b|后者")),
    (-1, re.compile(r"后一?[个盏]|后一台|后面(?:那|的)?[个盏台]")),
)


def which_said(marked: Marked) -> int | None:
    """Which of several that were just talked about, as an index: the second of those, 后面那个."""
    for at, mark in enumerate(marked.marks, 1):
        if mark.type == "ordinal" and isinstance(mark.value, int | float) and mark.value >= 1:
            behind = marked.text.partition(f"<ordinal>{at}")[2]
            if mark.words.endswith(("个", "盏", "台")) or re.match(r" (?:one|of)\b|$", behind):
                return int(mark.value) - 1
    return next((at for at, words in _PLACE_SAID if words.search(marked.text)), None)


def _is_elsewhere(some: Iterable[Entity], areas: tuple[str, ...]) -> bool:
    """Whether what is called so stands in a room, and not in these: the yard's tap is none of the
    kitchen."""
    return bool(areas) and all(one.area and one.area not in areas for one in some)


def _takes(verb: str, entity: Entity) -> bool:
    """Whether a device takes a verb, or has something a key means."""
    if verb in ("open", "close"):
        return True
    if verb in _TAKING:
        return entity.domain in _TAKING[verb]
    return verb in PARAMETERS.get(entity.domain, {})


def _once(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Each once: an entity has mappings in it, which have no hash."""
    found: dict[str, Entity] = {one.id: one for one in entities}
    return tuple(found.values())


def _instead(world: World, name: str, fits: Callable[[Entity], bool]) -> tuple[Entity, ...]:
    """What people mean by a class word where nothing is exactly that."""
    others = {"curtain": "blind", "blind": "curtain", "heater": "heating"}
    if name not in others:
        return ()
    return tuple(one for one in members(world, others[name]) if fits(one))


def _sounds(level: Entity) -> bool:
    words = " ".join(level.names).casefold()
    return any(one in words for one in ("media", "music", "媒体", "音乐"))


def _shows(player: Entity) -> bool:
    words = " ".join(player.names).casefold()
    return any(one in words for one in _SCREENS)
