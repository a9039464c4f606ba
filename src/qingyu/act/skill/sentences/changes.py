"""What the generator does to an order on its own: a time, a second order, a reason, something
that the household has not."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from qingyu.act.skill.sentences import said
from qingyu.act.skill.sentences.draft import HERE, Draft
from qingyu.act.skill.sentences.fill import Filler, Lacking
from qingyu.act.skill.sentences.households import Household
from qingyu.act.skill.sentences.notation import Template, expand
from qingyu.act.skill.sentences.pieces import Filled, Piece
from qingyu.act.skill.sentences.rules import Around, Rules, Words

ORDERS = frozenset((
    "on", "off", "open", "close", "start", "stop", "pause", "play", "next", "previous", "mute",
    "unmute", "lock", "return", "activate", "set", "more", "less", "clean",
))  # fmt: skip
"""Orders that may come later, with others, or fail because there is no such device."""
JOINED = ORDERS | {
    "unlock", "add", "wish", "absent", "launch", "ask", "remove", "call", "navigate", "send",
}  # fmt: skip
_ALONE = frozenset({"talk", "yes", "no", "pick", "undo", "wish", "ask", "unable", ""})
"""What is said without a reason, or is one."""
_ABSENT: Mapping[str, str] = {
    "light": "absent_light", "cover": "absent_cover", "climate": "absent_climate",
    "media_player": "absent_media", "switch": "absent_switch", "fan": "absent_switch",
    "humidifier": "absent_switch", "water_heater": "absent_switch", "vacuum": "absent_switch",
}  # fmt: skip
SCHEDULED, JOINED_SHARE, ABSENT, NO_PLACE, REASONED = 0.07, 0.27, 0.05, 0.05, 0.2
"""How often each is done to an order it can be done to."""

Another = Callable[[str], Draft | None]


class Changer:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.gap = "，" if rules.language == "zh" else ", "
        self.blank = "" if rules.language == "zh" else " "

    def change(
        self, draft: Draft, household: Household, chance: random.Random, another: Another
    ) -> None:
        """Does one or two of them, by chance; another: a draft of any other order."""
        if draft.verb not in JOINED or " ; " in draft.meaning() or draft.pending == "which":
            self._reason(draft, household, chance, REASONED)
            return
        roll = chance.random()
        if draft.verb in ORDERS and '"' not in draft.meaning():
            if roll < SCHEDULED:
                self.schedule(draft, chance)
                return
            if roll < SCHEDULED + ABSENT + NO_PLACE:
                kind = "device" if roll < SCHEDULED + ABSENT else "area"
                self.absent(draft, household, chance, kind)
        if chance.random() < JOINED_SHARE:
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                self.join(draft, chance, another)
        self._reason(draft, household, chance, REASONED)

    def schedule(self, draft: Draft, chance: random.Random) -> None:
        """Puts the order under a time."""
        words = said.moment("", self.rules.language, chance)
        if chance.random() < 0.06:
            words = said.moment("daily", self.rules.language, chance)
        when = Piece(words, kind="time", type="time")
        places = [at for at, one in enumerate(draft.pieces) if one.type == HERE]
        if self.rules.language == "en" and chance.random() < 0.6:
            draft.pieces += [Piece(" "), when]
        elif places and chance.random() < 0.5:
            at = chance.choice(places)
            draft.pieces[at : at + 1] = [Piece(self.blank), when, Piece(self.blank)]
        else:
            between = (
                chance.choice(("",) * 6 + ("，", "就", "帮我", "给我", "再", "的时候"))
                or self.blank
            )
            if self.rules.language == "en":
                between = chance.choice((" ", ", ", " please "))
            elif between == "的时候" and not words.endswith("点"):
                between = ""
            draft.pieces[:0] = [when, Piece(between)]
        draft.form[:0] = ["when ", Filled([when]), " : "]
        draft.pending = ""

    def join(self, draft: Draft, chance: random.Random, another: Another) -> None:
        """Another order after this one."""
        other = another(_LIKELY)
        if other is None or " ; " in other.meaning() or other.verb not in JOINED:
            return
        if len(draft.pointed()) + len(other.pointed()) > 8:
            return
        if other.pending == "which" or not self.rules.joiners:
            return
        if '"' in draft.meaning() and draft.verb in ("add", "send"):
            return
        joiner = _text(chance.choice(self.rules.joiners), chance)
        if "wish" in (draft.verb, other.verb) and not any(map(str.isalpha, joiner)):
            return  # 太热了，开空调 is one order with its reason
        draft.pieces += [Piece(joiner), *other.pieces]
        draft.form += [" ; ", *other.form]
        draft.pending = draft.pending or other.pending
        draft.used |= other.used

    def absent(self, draft: Draft, household: Household, chance: random.Random, kind: str) -> None:
        """Puts something there that the household has not."""
        those = [
            one
            for one in draft.form
            if isinstance(one, Filled) and len(one.pieces) == 1 and one.pieces[0].kind == kind
        ]
        if not those or (kind == "device" and len(draft.pointed()) > 3):
            return
        old = those[0].pieces[0]
        name = "absent_place"
        if kind == "device":
            name = _ABSENT.get(old.type.partition(".")[0], "")
        entries = self.rules.words.lists.get(name)
        if not entries:
            return
        word = _text(chance.choice(entries), chance)
        if not word or household.has_word(word):
            return
        new = Piece(word, kind="quote")
        at = next(place for place, one in enumerate(draft.pieces) if one is old)
        draft.pieces[at] = new
        draft.form[:] = ['absent "', Filled([new]), '"']
        draft.pending = ""

    def _reason(
        self, draft: Draft, household: Household, chance: random.Random, share: float
    ) -> None:
        if chance.random() >= share or draft.verb in _ALONE:
            return
        meaning = draft.meaning()
        fit = [one for one in self.rules.around if _suits(one, draft.verb, meaning)]
        if not fit:
            return
        # The last ones are for any order: as often as all the others.
        around = fit[-1] if chance.random() < 0.5 else chance.choice(fit)
        behind = bool(around.behind) and (chance.random() < 0.5 or not around.before)
        if behind and meaning.endswith('"') and draft.verb != "absent":
            return
        template = chance.choice(around.behind if behind else around.before)
        filler = Filler(
            household, self.rules.words, Words(), self.rules.language, chance, draft.used
        )
        try:
            words = filler.expanded(template)
        except Lacking:
            return
        if behind:
            draft.pieces += [Piece(self.gap), *words]
        else:
            draft.pieces[:0] = [*words, Piece(self.gap)]


_LIKELY = (
    "on off open close set more less start pause play lock activate return"
    " ask add remove call send navigate next mute clean stop unlock"
)


def _text(template: Template, chance: random.Random) -> str:
    """A template without slots as text."""
    return "".join(one for one in expand(template, chance) if isinstance(one, str))


def _suits(around: Around, verb: str, meaning: str) -> bool:
    for pattern in around.patterns:
        first, *rest = pattern.split()
        if first in ("*", verb) and all(one in meaning for one in rest):
            return True
    return False
