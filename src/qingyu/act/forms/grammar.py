"""The grammar under which a skill model writes the form of one sentence.

    Grammar.lark(form_grammar(marked))      # for qingyu.engine.constraint

Only marks that are in the sentence can be pointed at, and a quote is a piece of the marked
sentence that cuts no word and no mark. What `form.parse_form` reads of such a sentence is what
this grammar lets through, and the other way round.

llguidance reads greedily: every token but the first of a clause is written with the space before
it, so that no token is the beginning of a space and another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable
from typing import Literal

from qingyu.act.forms.reader import ADDED, REMOVED, SERVED, SPOKEN, VALUE_MARKS
from qingyu.act.forms.words import (
    ASKED,
    CLASSES,
    DEVICES,
    KEYS,
    NUMBERS,
    PLACES,
    PLAIN,
    ROBOT,
    TIMES,
    VALUES,
    WISHES,
    sort,
)
from qingyu.act.marks.mark import MARK, Marked

_CHUNK = re.compile(rf"{MARK.pattern}|[A-Za-z0-9]+|.", re.DOTALL)


def quotable(text: str) -> str:
    """A marked sentence as it can be quoted from: without the sign that ends a quote."""
    return text.replace('"', "'")


Pending = Literal["", "confirm", "which"]


def form_grammar(marked: Marked, *, pending: Pending | None = None) -> str:
    """Lark text in llguidance's dialect, a few kilobytes; the same sentence gives the same text.

    pending: what was asked in the last turn, so that only its answers are among the forms: yes and
    no, pick and no, none of them for ""; None lets all through.
    """
    rules = _Rules(marked, _ANSWERED[pending])
    return "\n".join(rules.lines()) + "\n"


class _Rules:
    """The rules for one sentence. A part is the text of an alternative, "" where the sentence has
    no mark it needs."""

    def __init__(self, marked: Marked, answers: tuple[str, ...]) -> None:
        self._answers = answers
        self._marks = [(one.type, f"<{one.type}>{at}") for at, one in enumerate(marked.marks, 1)]
        self._text = quotable(marked.text).strip()

    def lines(self) -> list[str]:
        """Every rule; those that cannot be had are left out of the others."""
        quote = "quote" if self._text else ""
        devices = self._pointers(DEVICES)
        places = self._pointers(PLACES)
        values = self._pointers(VALUE_MARKS)
        added, removed = self._pointers(ADDED), self._pointers(REMOVED)
        times, area = self._pointers(TIMES), self._pointers({"area"})
        clauses = self._clauses(quote, values, added, removed, times, area)
        lines = [
            f"start: {_either(*self._answers, _ALWAYS)}",
            _rule("pick", f'"pick" ({_either("who", self._pointers(_ANSWERS), quote)})'),
            _rule("clause", _either(self._when(), "body")),
            _rule("body", _either(*clauses)),
            _rule("who", "named scope"),
            _rule("named", _either(f"({devices})+" if devices else "", '" it"', "class")),
            _rule("class", _words(CLASSES)),
            _rule("scope", f'(" all" | " elsewhere")? {"at? " if places else ""}but?'),
            _rule("but", f'" but" ({_either(devices, places, "class")})+'),
            _rule("setting", f"key ({_either(values, _words(VALUES))})"),
            _rule("key", _words(KEYS)),
        ]
        if places:
            lines.append(_rule("at", f'" at" ({places})+'))
        if quote:
            chunks = json.dumps([one[0] for one in _CHUNK.finditer(self._text)])
            lines += [
                'quote: " \\"" PIECE "\\""',
                "PIECE: PIECES & /[^ ](.*[^ ])?/s",
                f'PIECES: %regex {{"substring_chunks": {chunks}}}',
            ]
        return lines

    def _when(self) -> str:
        times = self._pointers(TIMES)
        return f'"when" ({times}) " : " body' if times else ""

    def _clauses(
        self, quote: str, values: str, added: str, removed: str, times: str, area: str
    ) -> list[str]:
        numbers, contact = self._pointers(NUMBERS), self._pointers({"contact"})
        metres = self._pointers({"metre", "number"})
        angles = self._pointers({"angle", "degree", "number"})
        places = self._pointers(PLACES)
        by = f' (" by" ({numbers}))?' if numbers else ""
        about = f" ({times})?" if times else ""
        at = "at?" if places else ""
        entries = _either(removed, quote)
        kept = f' (" but" ({entries})+)?' if entries else ""
        return [
            f"({_words(PLAIN, first=True)}) who",
            _words(ROBOT, first=True),
            '"set" who setting+',
            f'("more" | "less") who key{by}',
            _needs(area, f'"clean" named ({area})'),
            f'"ask" (" clock" | " date" | who ({_words(ASKED)}){about})',
            self._add(quote, added),
            f'"remove" named {at} ({_either(entries, f"%22 all%22{kept}")})'.replace("%22", '"'),
            '"hangup" | "arrive"',
            *(self._served(verb, types, quote) for verb, types in SERVED.items()),
            _needs(quote, f'"send" ({_either(contact, quote, _IT)}) {quote}'),
            _needs(metres, f'"walk" ({metres}) " back"?'),
            f'"turn" ({_either(angles, _QUARTERS)}) (" left" | " right")',
            f'"wish" ({_words(WISHES)}) (who{" | at" if places else ""})?',
            _needs(quote, f'"absent" {quote}'),
            f'"unable" who?{" quote?" if quote else ""}',
            _needs(quote, f'"name" who {quote}'),
            f'"forget" ({_either("who", quote)})',
            '"prefer" setting',
            _needs(quote, f'"routine" {quote}'),
        ]

    def _add(self, quote: str, added: str) -> str:
        ways = [
            f"quote ({added})*" if quote and added else quote,
            f"({added})+" if added else "",
        ]
        return _needs(quote or added, f'"add" who ({_either(*ways)})')

    def _served(self, verb: str, types: Container[str], quote: str) -> str:
        word = f'" {SPOKEN[verb]}"' if verb in SPOKEN else ""
        ways = _either(self._pointers(types), quote, word)
        return _needs(ways, f'"{verb}" ({ways})')

    def _pointers(self, types: Container[str]) -> str:
        """The marks of some types, as alternatives."""
        return _words(text for type, text in self._marks if sort(type) in types)


_ALWAYS = '"talk" | "undo" | clause (" ; " clause)*'
_YES, _NO, _PICK = '"yes"', '"no"', "pick"
_ANSWERED: dict[Pending | None, tuple[str, ...]] = {
    None: (_YES, _NO, _PICK),
    "confirm": (_YES, _NO),
    "which": (_PICK, _NO),
    "": (),
}
_ANSWERS = PLACES | TIMES | NUMBERS | {
    "contact", "place", "app", "source", "target", "mode", "option", "item", "title",
}  # fmt: skip
_IT = '" it"'
_QUARTERS = '" 90" | " 180"'


def _rule(name: str, text: str) -> str:
    return f"{name}: {text}"


def _either(*parts: str) -> str:
    return " | ".join(one for one in parts if one)


def _needs(what: str, part: str) -> str:
    return part if what else ""


def _words(words: Iterable[str], *, first: bool = False) -> str:
    """As alternatives, each with the space before it unless it is the first of a clause."""
    return " | ".join(json.dumps(one if first else f" {one}") for one in words)
