"""Training sentences without end: what somebody says in some household, and what is meant.

    for example in sentences(7, "zh"):
        example.turns[-1].text        # "把落地灯调到百分之三十"
        example.turns[-1].form        # "set <light:落地灯> brightness <percent:百分之三十>"

The same seed gives the same examples. `lines.py` makes lines to train with out of them.
"""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from qingyu.act.bench.leaks import is_device_name, untested
from qingyu.act.skill.sentences.changes import Changer
from qingyu.act.skill.sentences.draft import Draft
from qingyu.act.skill.sentences.fill import Filler, Lacking
from qingyu.act.skill.sentences.households import (
    KINDS,
    Forbidden,
    Household,
    make_household,
    nothing,
)
from qingyu.act.skill.sentences.noise import Noise
from qingyu.act.skill.sentences.pieces import assemble
from qingyu.act.skill.sentences.rules import SLOT, Rule, Rules, Turn, read_rules
from qingyu.act.world import World

_POOL = 18
"""Households at a time; rare kinds are always among them."""
_USES = 40
"""Examples from a household before another takes its place."""


@dataclass(frozen=True, kw_only=True)
class Mention:
    """text[start:end] is something the form points at. ids: of devices and places."""

    type: str
    words: str
    start: int
    end: int
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SaidTurn:
    """form: docs/forms.md with marks as <type:words>. mentions: in the order of the form's marks.
    pending: "", "which" or "confirm", after this turn."""

    text: str
    form: str
    mentions: tuple[Mention, ...]
    pending: str = ""


@dataclass(frozen=True, kw_only=True)
class Example:
    """category: the file the last turn's rule comes from."""

    turns: tuple[SaidTurn, ...]
    world: World
    category: str

    @property
    def speaker(self) -> str:
        return self.world.speaker


def sentences(seed: int, language: str, *, noisy: bool = True) -> Iterator[Example]:
    """Examples in "zh" or "en", none of which is in the benchmark, nor is a device's name."""
    generator = Generator(read_rules(language), seed, is_device_name, noisy=noisy)
    return untested(generator.examples(), lambda one: [turn.text for turn in one.turns])


def worlds(seed: int, language: str = "zh") -> Iterator[World]:
    """The households that sentences are made in."""
    chance = random.Random(seed)
    while True:
        yield make_household(language, chance, forbidden=is_device_name).world


class Generator:
    def __init__(
        self, rules: Rules, seed: int, forbidden: Forbidden = nothing, *, noisy: bool = True
    ) -> None:
        self.rules, self.forbidden = rules, forbidden
        self.chance = random.Random(seed)
        self.noise = Noise(rules.noise, rules.language) if noisy else None
        self.changer = Changer(rules)
        self.sums = list(accumulate(one.share for one in rules.categories))
        self.rule_sums = [list(accumulate(rule.weight for rule in one.rules))
                          for one in rules.categories]  # fmt: skip
        self.pool: list[Household] = []
        self.before: dict[str, list[tuple[Rule, Turn]]] = {}
        self.used = 0

    def examples(self) -> Iterator[Example]:
        """Without end."""
        while True:
            example = self.example()
            if example is not None:
                yield example

    def example(self, rule: Rule | None = None) -> Example | None:
        """The next one; None where no household of the pool fits its rule."""
        self._renew()
        rule = rule or self._rule()
        for household in self.chance.sample(self.pool, len(self.pool)):
            try:
                drafts = self._talk(rule, household)
            except Lacking:
                continue
            if drafts is None:
                return None
            said = tuple(self._said(draft, household) for draft in drafts)
            return Example(turns=said, world=household.world, category=rule.category)
        return None

    def _renew(self) -> None:
        language, kinds = self.rules.language, list(KINDS)
        while len(self.pool) < _POOL:
            kind = kinds[len(self.pool)] if len(self.pool) < len(kinds) else ""
            self.pool.append(make_household(language, self.chance, kind, self.forbidden))
        self.used += 1
        if self.used % _USES == 0:
            at = self.used // _USES % _POOL
            kind = kinds[at] if at < len(kinds) else ""
            self.pool[at] = make_household(language, self.chance, kind, self.forbidden)

    def _rule(self) -> Rule:
        at = _draw(self.sums, self.chance)
        return self.rules.categories[at].rules[_draw(self.rule_sums[at], self.chance)]

    def _talk(self, rule: Rule, household: Household) -> list[Draft] | None:
        """The turns with their meaning, as drafts that noise has not seen."""
        used: set[str] = set()
        drafts: list[Draft] = []
        if rule.after:
            those = self._matching(rule.after)
            if not those:
                return None
            earlier, turn = self.chance.choice(those)
            drafts.append(self._draft(turn, earlier, household, used))
        filler = self._filler(rule, household, used)
        for turns in rule.turns:
            drafts.append(Draft.made(filler, self.chance.choice(turns), self.chance))
        if len(drafts) == 1:
            self._change(drafts, household, rule)
        return drafts

    def _filler(self, rule: Rule, household: Household, used: set[str]) -> Filler:
        return Filler(
            household, self.rules.words, rule.words, self.rules.language, self.chance, used
        )

    def _draft(self, turn: Turn, rule: Rule, household: Household, used: set[str]) -> Draft:
        return Draft.made(self._filler(rule, household, used), turn, self.chance)

    def _change(self, drafts: list[Draft], household: Household, rule: Rule) -> None:
        """Time, another order, something absent, reasons; or an unrelated turn before."""
        draft = drafts[0]

        def another(form: str) -> Draft | None:
            those = self._matching(form)
            for _ in range(4 if those else 0):
                other, turn = self.chance.choice(those)
                try:
                    return self._draft(turn, other, household, set(draft.used))
                except Lacking:
                    continue
            return None

        self.changer.change(draft, household, self.chance, another)
        earlier = another("") if self.chance.random() < 0.2 else None
        if earlier is None or earlier.pending == "which":
            return
        if earlier.verb not in ("yes", "no", "pick"):
            drafts.insert(0, earlier)

    def _matching(self, after: str) -> list[tuple[Rule, Turn]]:
        """First turns whose form is as `after` asks: "{light}", "on {light} ; set", "confirm";
        any plain turn where it is ""."""
        found = self.before.get(after)
        if found is None:
            wanted = [one.split() for one in after.split(";")]
            found = [
                (rule, turn)
                for category in self.rules.categories
                for rule in category.rules
                if not rule.after
                for turn in rule.turns[0]
                if any(_fits(turn, one) for one in wanted)
            ]
            self.before[after] = found
        return found

    def _said(self, draft: Draft, household: Household) -> SaidTurn:
        pieces = draft.pieces
        if self.noise is not None:
            pieces = self.noise.heard(pieces, household, self.chance, asks=draft.asks)
        form = draft.meaning()
        said = assemble(pieces)
        place = {id(one): span for one, span in zip(said.pieces, said.spans, strict=True)}
        mentions = []
        for one in draft.pointed():
            start, end = place[id(one)]
            mentions.append(
                Mention(type=one.type, words=one.text, start=start, end=end, ids=one.ids)
            )
        return SaidTurn(text=said.text, form=form, mentions=tuple(mentions), pending=draft.pending)


def _draw(sums: Sequence[float], chance: random.Random) -> int:
    return min(bisect(sums, chance.random() * sums[-1]), len(sums) - 1)


def _fits(turn: Turn, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    if wanted[0] in ("confirm", "which"):
        return turn.pending == wanted[0]
    words = turn.form.split()
    verbs = [one for one in wanted if not one.startswith("{")]
    slots = [one.strip("{}") for one in wanted if one.startswith("{")]
    if verbs and (not words or words[0] not in verbs):
        return False
    held = {re.split(r"[#:]", one)[0].rstrip("+!") for one in SLOT.findall(turn.form)}
    # "it" must be one thing: no {light+}, and no order that was not understood.
    return all(one in held and f"{{{one}+}}" not in turn.form for one in slots)
