"""Sentences as people type them in a hurry and as speech recognition hears them.

    Noise(rules.noise, "zh").heard(pieces, household, chance)

What is meant stays: pieces that the form points at may be misspelt or said twice, never dropped.
What to put in comes from data/<language>/noise.yaml.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from qingyu.act.skill.sentences.households import Household
from qingyu.act.skill.sentences.pieces import Piece

_ZH = re.compile(r"[\u4e00-\u9fff]")
_SIGNS = re.compile(r"[，。、？！；：…,;!?~]|(?<!\d)\.(?!\d)")


class Noise:
    """data: before, behind, inside (fillers), calls (names of an assistant), slips (corrections),
    homophones (strings of characters that sound alike), swaps {word: other spellings}."""

    def __init__(self, data: Mapping[str, Any], language: str) -> None:
        self.language = language
        self.before = _texts(data, "before")
        self.behind = _texts(data, "behind")
        self.inside = _texts(data, "inside")
        self.calls = _texts(data, "calls")
        self.slips = _texts(data, "slips")
        self.alike: dict[str, str] = {}
        for group in _texts(data, "homophones"):
            for sign in group:
                self.alike[sign] = self.alike.get(sign, "") + group.replace(sign, "")
        self.swaps = {str(word): [str(one) for one in others]
                      for word, others in (data.get("swaps") or {}).items()}  # fmt: skip

    def heard(
        self,
        pieces: Sequence[Piece],
        household: Household,
        chance: random.Random,
        *,
        asks: bool = False,
    ) -> list[Piece]:
        """The pieces with noise. Pieces that are mentions stay the same objects."""
        out = list(pieces)
        ends_in_quote = bool(out) and out[-1].kind == "quote"
        how = chance.random()
        if asks and not ends_in_quote and chance.random() < 0.3:
            out.append(Piece("？" if self.language == "zh" else "?"))
        if how < 0.5:  # typed with care
            if not ends_in_quote and not asks and chance.random() < 0.12:
                out.append(Piece("。" if self.language == "zh" else "."))
            return self._called(out, chance, 0.04)
        spoken = how > 0.68
        if self.slips and chance.random() < 0.12:
            out = self._slip(out, household, chance)
        if not ends_in_quote and self.behind and chance.random() < 0.12:
            out.append(Piece(self._glued(chance.choice(self.behind))))
        if self.before and chance.random() < (0.25 if spoken else 0.1):
            out.insert(0, Piece(self._glued(chance.choice(self.before), before=True)))
        out = self._called(out, chance, 0.05)
        if how > 0.85:
            self._misheard(out, chance)
            out = self._stumbled(out, chance)
        if spoken or chance.random() < 0.5:
            self._unsigned(out, chance)
        if self.language == "en" and chance.random() < 0.6:
            for one in out:
                if one.kind != "quote":
                    one.text = one.text.lower()
        return out

    def _glued(self, word: str, *, before: bool = False) -> str:
        if self.language == "zh":
            return word
        return f"{word} " if before else f" {word}"

    def _called(self, out: list[Piece], chance: random.Random, share: float) -> list[Piece]:
        if self.calls and chance.random() < share:
            gap = (
                chance.choice(("，", "", " "))
                if self.language == "zh"
                else chance.choice((", ", " "))
            )
            out.insert(0, Piece(chance.choice(self.calls) + gap))
        return out

    def _slip(self, out: list[Piece], household: Household, chance: random.Random) -> list[Piece]:
        """Another device first, then a correction, then the one that is meant."""
        kinds = ("device", "area", "contact", "number")
        places = [
            at for at, one in enumerate(out) if one.kind in kinds and len(one.text) > 1
        ]  # fmt: skip
        if not places:
            return out
        at = chance.choice(places)
        wrong = _other_than(out[at], household, chance)
        if not wrong:
            return out
        word = chance.choice(self.slips)
        middle = word if self.language == "zh" else f" {word} "
        return [*out[:at], Piece(wrong, type="slip"), Piece(middle), *out[at:]]

    def _misheard(self, out: list[Piece], chance: random.Random) -> None:
        """Words that sound alike; at most two in a sentence."""
        left = 2
        for one in chance.sample(out, len(out)):
            if left == 0 or one.kind == "quote" or one.type == "slip":
                continue
            if one.kind == "device" and chance.random() < 0.5:
                changed = self._garbled(one.text, chance)
            elif one.kind == "text" and chance.random() < 0.3:
                changed = self._swapped(one.text, chance)
            else:
                continue
            left -= changed != one.text
            one.text = changed

    def _garbled(self, name: str, chance: random.Random) -> str:
        """A name misspelt in one place, or with its first syllable twice."""
        if self.language == "zh" and _ZH.search(name):
            places = [at for at, sign in enumerate(name) if sign in self.alike]
            if places and chance.random() < 0.7:
                at = chance.choice(places)
                return name[:at] + chance.choice(self.alike[name[at]]) + name[at + 1 :]
            return name[0] * chance.choice((1, 1, 2)) + name
        if len(name) < 6:
            return name
        at = chance.randrange(1, len(name) - 2)
        if not name[at : at + 2].isalpha():
            return name
        way = chance.random()
        if way < 0.4:
            return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        return name[:at] + name[at + 1 :] if way < 0.7 else name[: at + 1] + name[at:]

    def _swapped(self, text: str, chance: random.Random) -> str:
        known = [word for word in self.swaps if word in text]
        if known and chance.random() < 0.8:
            word = chance.choice(known)
            return text.replace(word, chance.choice(self.swaps[word]), 1)
        places = [at for at, sign in enumerate(text) if sign in self.alike]
        if not places:
            return text
        at = chance.choice(places)
        return text[:at] + chance.choice(self.alike[text[at]]) + text[at + 1 :]

    def _stumbled(self, out: list[Piece], chance: random.Random) -> list[Piece]:
        """A word said twice, or a hesitation between two pieces."""
        if self.inside and len(out) > 1 and chance.random() < 0.5:
            places = [at for at in range(1, len(out))
                      if "quote" not in (out[at].kind, out[at - 1].kind)]  # fmt: skip
            if places:
                word = chance.choice(self.inside)
                out.insert(
                    chance.choice(places), Piece(word if self.language == "zh" else f" {word} ")
                )
        first = out[0] if out else Piece("")
        if first.kind == "text" and first.text and chance.random() < 0.35:
            if self.language == "zh":
                size = chance.choice((1, 1, 2))
                first.text = first.text[:size] + first.text
            else:
                first.text = first.text.split(" ")[0] + " " + first.text
        return out

    @staticmethod
    def _unsigned(out: Sequence[Piece], chance: random.Random) -> None:
        gap = " " if chance.random() < 0.3 else ""
        for one in out:
            if one.kind != "quote" and one.kind not in ("number", "time"):
                one.text = _SIGNS.sub(
                    gap if _ZH.search(one.text) or "，" in one.text else "", one.text
                )


def _other_than(one: Piece, household: Household, chance: random.Random) -> str:
    """The name of another thing of the same kind, "" where there is none."""
    world = household.world
    if one.kind == "device":
        domain = one.type.partition(".")[0]
        names = [
            other.names[0]
            for other in world.entities
            if other.domain == domain and other.id not in one.ids
        ]
        if not names or chance.random() < 0.3:
            names = [other.names[0] for other in household.things("device")
                     if other.id not in one.ids]  # fmt: skip
    elif one.kind == "area":
        names = [other.names[0] for other in world.areas if other.id not in one.ids]
    elif one.kind == "contact":
        names = [other.names[0] for other in world.contacts if other.value not in one.ids]
    else:
        digits = re.fullmatch(r"(\d{1,2})(\D*)", one.text)
        names = (
            [f"{max(1, int(digits[1]) + chance.choice((-5, -2, 2, 5, 10)))}{digits[2]}"]
            if digits
            else []
        )
    return chance.choice(names) if names else ""


def _texts(data: Mapping[str, Any], key: str) -> list[str]:
    return [str(one) for one in data.get(key) or ()]
