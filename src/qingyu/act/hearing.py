"""From text to what is asked for: words in code, templates, then the skill model if there is one.

    hearing = Hearing(world, skill=None)
    hearing.hear("把它关掉", state, speaker="hall", now=now, focus=focus, context="on <light> |")
    # Heard((Do((Call("turn_off", "light.desk"),)),), path="fast")

Built once per household and set of nicknames. Knows nothing of what waits for an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qingyu.act.answers import Language, Path
from qingyu.act.calls import Call
from qingyu.act.fast.path import Calls, FastPath, Question
from qingyu.act.fast.short_words import short_order
from qingyu.act.fast.stop import Stopping
from qingyu.act.forms.reader import Form
from qingyu.act.marks.mark import MARK, SIGNS, Marked
from qingyu.act.marks.marker import Marker
from qingyu.act.marks.slips import without_slips
from qingyu.act.marks.words import CLASS_WORDS
from qingyu.act.reminding import corrected, noted
from qingyu.act.resolving.again import again, is_back
from qingyu.act.resolving.mending import mended
from qingyu.act.resolving.missing import without_missing
from qingyu.act.resolving.quoting import whole
from qingyu.act.resolving.resolve import resolve
from qingyu.act.spoken.spelling import clauses, has_hanzi, simplified
from qingyu.act.spoken.times import Found, find_times
from qingyu.act.state import State
from qingyu.act.teaching import Teaching
from qingyu.act.understood import Do, Focus, Part, Understood, Undo, Which
from qingyu.act.world import World, plain

_HANZI = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z']+")
_ZH_WORDS = frozenset("把的了吗呢吧给让请帮我你它在是有多少几打开关调到成设一下再点和")
_EN_WORDS = frozenset(
    (
        *("turn", "on", "off", "the", "set", "to", "my", "put", "open", "close", "is", "what", "a"),
        *("please", "make", "in", "of", "and", "add", "start", "stop", "for", "it", "how", "are"),
    )
)
_IT = re.compile(r"它|\b(?:it|that one)\b", re.IGNORECASE)
_AT = re.compile(r"\bat\s*$", re.IGNORECASE)
_LOOSE = re.compile(r"^(?:的时候|时|以后|之后|后|就|请|帮我|,|，|、|\s|please|then)+|(?:,|，|\s)+$")

_NO_ORDER = frozenset(
    (
        *(word for words in CLASS_WORDS.values() for word in words),
        *("lights", "lamps", "curtains", "blinds", "heating", "volume", "brightness", "on", "off"),
        *("open", "close", "音量", "亮度", "暖气", "门窗", "开", "关", "打开", "关掉"),
        *("关上", "开启", "调高", "调低"),
    )
)  # fmt: skip
"""Words that say, alone and where nothing was spoken of, what or how, but not both."""


class Skill(Protocol):
    """A model that says what a marked sentence asks for, as a form of `qingyu.act.forms.reader`."""

    def form(self, context: str, marked: Marked) -> Form | None:
        """context: the turn before and what is pending, as `qingyu.act.forms.context` writes it; ""
        at the beginning. None where it has nothing to say."""
        ...


@dataclass(frozen=True)
class Heard:
    """parts: empty where nobody understood. form: of the skill model."""

    parts: Understood
    path: Path
    form: str = ""


class Hearing:
    """taught: names that memory has, of devices and of routines."""

    def __init__(
        self, world: World, skill: Skill | None = None, taught: Iterable[str] = ()
    ) -> None:
        self.world = world
        self._skill = skill
        self._fast = FastPath(world)
        self._marker = Marker(world)
        self._teaching = Teaching(world, taught)
        self._stopping = Stopping(world)
        self._names = sorted(
            {
                plain(simplified(name))
                for one in (*world.entities, *world.areas)
                for name in one.names
            },
            key=len,
            reverse=True,
        )

    def is_halt(self, text: str) -> bool:
        """Whether a robot is told to stop, in any wording."""
        return any(map(self._stopping.is_said, clauses(text)))

    def goes_beyond(self, text: str, orders: Sequence[Do], state: State, now: datetime) -> bool:
        """Whether a text names a device, place, person, number or time that some orders are not
        about."""
        known: set[object] = {one.when for one in orders if one.when is not None}
        calls = [call for one in orders for call in one.calls]
        for call in calls:
            entity = self.world.entity(call.entity)
            known |= {call.entity, entity.area if entity else "", *call.arguments.values()}
        for mark in self._marker.mark(text, state, now).marks:
            value = mark.value.when if isinstance(mark.value, Found) else mark.value
            said: set[object] = set(mark.ids) or {value}
            if not known & said and not self._is_option(mark.words, calls):
                return True
        return False

    def _is_option(self, words: str, calls: Sequence[Call]) -> bool:
        """Whether words are what people call an option that one of some calls chooses."""
        for call in calls:
            entity = self.world.entity(call.entity)
            values = [one for one in call.arguments.values() if isinstance(one, str)]
            if entity is not None and entity.option_called(words, values) is not None:
                return True
        return False

    def language_of(self, text: str, usual: Language) -> Language:
        """The language somebody speaks; `usual` where nothing but names and numbers is said."""
        whole = plain(simplified(text))
        rest = whole
        for name in self._names:
            if len(name) > 1:
                rest = rest.replace(name, " ")
        hanzi, latin = _HANZI.findall(rest), _LATIN.findall(rest)
        if hanzi or latin:
            # What holds a sentence together counts more than what it is about.
            chinese = len(hanzi) + 2 * sum(one in _ZH_WORDS for one in hanzi)
            english = len(latin) + 2 * sum(one in _EN_WORDS for one in latin)
            return "zh" if chinese > english else "en"
        return "zh" if has_hanzi(whole) and not _LATIN.search(whole) else usual

    def hear(
        self,
        text: str,
        state: State,
        *,
        speaker: str,
        now: datetime,
        focus: Focus,
        context: str = "",
    ) -> Heard:
        short = Undo() if is_back(text) else short_order(text)
        if short is not None:
            return Heard((short,), "rule")
        taught = self._teaching.read(text)
        if taught is not None:
            rest = taught.order and self.fast(taught.order, state, speaker, now)
            if not taught.order or rest:
                return Heard((taught.teach, *(rest or ())), "rule")
        note = noted(text, self.world, now) or corrected(text, focus.calls, now)
        if note is not None:
            return Heard((note,), "rule")
        quick = self.fast(text, state, speaker, now, focus) or self._pointed(
            text, state, speaker, focus
        )
        if quick:
            return Heard(quick, "fast")
        marked = without_slips(self._marker.mark(text, state, now))
        same = again(marked, focus, self.world)
        if same is not None:
            return Heard((same,), "rule")
        if not focus.ids and focus.which is None and not context.endswith(("confirm", "which")):
            alone = self._alone(marked)
            if alone is not None:
                return alone
        if self._skill is not None:
            form = self._skill.form(context, marked)
            if form is not None:
                form = whole(mended(form, marked, self.world), marked)
                parts = resolve(
                    form, marked, self.world, state, speaker=speaker, now=now, focus=focus
                )
                parts = without_missing(
                    parts, marked, self.world, str(form), talked=bool(focus.ids)
                )
                return Heard(parts, "model", str(form))
            return Heard((), "none")
        spread = self._spread(text, state)
        return Heard((spread,), "fast") if spread else Heard((), "none")

    def fast(
        self, text: str, state: State, speaker: str, now: datetime, focus: Focus | None = None
    ) -> Understood:
        """What the templates make of it, () for nothing; also of an order with one time in it."""
        ids = focus.ids if focus is not None else ()
        found = self._fast.understand(text, state, speaker=speaker, focus=ids)
        if found is not None:
            return _understood(found)
        times = [one for one in find_times(text, now, self.world.sun) if one.when]
        if len(times) != 1 or not times[0].sure:
            return ()
        rest = text
        for start, end in reversed(times[0].spans):
            rest = _AT.sub("", rest[:start]) + rest[end:]
        found = self._fast.understand(_LOOSE.sub("", rest), state, speaker=speaker, focus=ids)
        if isinstance(found, Calls) and not _keeps_times(found):
            return (Do(found.calls, times[0].when, times[0].days),)
        return ()

    def _alone(self, marked: Marked) -> Heard | None:
        """A name and nothing else: how that is. A mere "lamp" or "on" is no order either."""
        said = SIGNS.sub(" ", marked.text).strip()
        if said in _NO_ORDER:
            return Heard((), "none")
        mark = marked.mark(1) if MARK.fullmatch(said) else None
        ids = mark.ids if mark is not None else ()
        if not ids or any(self.world.entity(id) is None for id in ids):
            return None
        if any(id.partition(".")[0] in ("scene", "switch", "app") for id in ids):
            return None
        return Heard((Question(ids, "state"),), "rule")

    def _pointed(self, text: str, state: State, speaker: str, focus: Focus) -> Understood:
        """ "It" is what the turn before was about, if that was one thing with a name of its own."""
        entity = self.world.entity(focus.ids[0]) if len(focus.ids) == 1 else None
        if entity is None or len(_IT.findall(text)) != 1:
            return ()
        for name in entity.names:
            if self.world.named(name) == (entity,):
                found = self._fast.understand(
                    f" {name} ".join(_IT.split(text)), state, speaker=speaker
                )
                if found is not None:
                    return _understood(found)
        return ()

    def _spread(self, text: str, state: State) -> Which | None:
        """Whether it would be clear if only the room were: then its devices, or where they are
        many the rooms, are the candidates. For want of a model, which is better at it."""
        found: dict[str, tuple[Call, ...]] = {}
        for area in self.world.areas:
            one = self._fast.understand(text, state, speaker=area.id)
            if isinstance(one, Calls) and all(
                self._stands(call.entity, area.id) for call in one.calls
            ):
                found[area.id] = one.calls
        if len(found) < 2:
            return None
        several = any(len(calls) > 1 for calls in found.values())
        named = {area if several else calls[0].entity: calls for area, calls in found.items()}

        def again(chosen: tuple[str, ...]) -> Understood:
            return (Do(tuple(call for one in chosen for call in named.get(one, ()))),)

        return Which(tuple(named), again, "area" if several else "entity")

    def _stands(self, id: str, area: str) -> bool:
        entity = self.world.entity(id)
        return entity is not None and entity.area == area


def _understood(found: Calls | Question) -> Understood:
    part: Part = Do(found.calls) if isinstance(found, Calls) else found
    return (part,)


def _keeps_times(found: Calls) -> bool:
    """Whether a service is meant that keeps times itself: then the time belongs to it."""
    domains = {one.entity.partition(".")[0] for one in found.calls}
    return bool(domains & {"timer", "alarm", "reminder", "calendar", "todo", "messenger"})
