"""Reads the form a skill model writes for a sentence: what is asked for, with pointers to marks.

    form = parse_form("when <time>1 : off light at <area>2 but <light>3 ; hangup")
    str(form)                                       # the same text
    parse_form("set <light>1 volume")               # InvalidRequestError: where and what

The language is in docs/forms.md; its words are in `words`, its grammar for decoding in
`grammar`. Tokens are separated by single spaces; a quote is one token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Literal

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
    Scope,
    Serve,
    Set,
    Taught,
    Turn,
    Value,
    Walk,
    Who,
    Wish,
    Word,
)
from qingyu.act.forms.words import (
    ASKED,
    CLASSES,
    DEVICES,
    KEYS,
    NUMBERS,
    OPTIONS,
    PLACES,
    PLAIN,
    ROBOT,
    TEXTS,
    TIMES,
    TYPES,
    VALUES,
    WISHES,
    sort,
)
from qingyu.act.marks.mark import MARK
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

__all__ = ["Form", "parse_form"]

_TOKEN = re.compile(r'"[^"]*"|[^ "]+')
ADDED = TIMES | {"number"}
VALUE_MARKS = NUMBERS | OPTIONS | {"duration", "time"}
"""A time, for "volume at five" may have been taken for one."""
REMOVED = TEXTS | TIMES | {"number"}
SERVED = {
    "call": {"contact"},
    "launch": {"app", "option"},
    "navigate": {"place", "option", "area"},
    "go": {"place", "option", "area"},
    "follow": {"target", "option", "contact"},
}
"""What the verbs of a phone, a car, a robot take."""
SPOKEN: dict[str, Literal["here", "me", "it"]] = {"go": "here", "follow": "me", "call": "it"}
"""The word that some of them take instead."""


def parse_form(text: str) -> Form:
    """Raises InvalidRequestError that names the token and what could stand there."""
    reader = _Reader(text)
    if reader.next in ("talk", "yes", "no", "undo"):
        form: Form = Word(reader.take())
    elif reader.next == "pick":
        form = reader.pick()
    else:
        clauses = [reader.clause()]
        while reader.next == ";":
            reader.take()
            clauses.append(reader.clause())
        form = Orders(tuple(clauses))
    if reader.next:
        raise reader.wrong(pick("the end", "结尾"))
    return form


class _Reader:
    """The tokens of a form, and where it is in them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self._verb = ""
        if " ".join(self._tokens) != text:
            raise InvalidRequestError(
                pick(
                    f"form {text!r}: tokens are separated by single spaces, quotes are closed",
                    f"指令 {text!r}：各词之间应为一个空格，引号应成对",
                )
            )

    @property
    def next(self) -> str:
        """ "" at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.next
        self._at += 1
        return token

    def wrong(self, wanted: str) -> InvalidRequestError:
        got = self.next or pick("the end", "结尾")
        where = self._at + 1
        return InvalidRequestError(
            pick(
                f"form {self._text!r}: token {where} is {got}; there should be {wanted}",
                f"指令 {self._text!r}：第 {where} 个词为 {got}；应为 {wanted}",
            )
        )

    def word(self, known: Container[str], wanted: str) -> str:
        if self.next not in known:
            raise self.wrong(wanted)
        return self.take()

    def sees_mark(self, types: Container[str]) -> bool:
        found = MARK.fullmatch(self.next)
        return found is not None and sort(found[1]) in types

    def mark(self, types: Container[str], wanted: str) -> Pointer:
        found = MARK.fullmatch(self.next)
        if found is None or sort(found[1]) not in types:
            raise self.wrong(wanted)
        self.take()
        return Pointer(found[1], int(found[2]))

    def marks(self, types: Container[str]) -> tuple[Pointer, ...]:
        found = []
        while self.sees_mark(types):
            found.append(self.mark(types, ""))
        return tuple(found)

    def quote(self) -> Quote:
        token = self.next
        if len(token) < 3 or token[0] != '"':
            raise self.wrong(pick("a quote", "引文"))
        self.take()
        return Quote(token[1:-1])

    def may_quote(self) -> Quote | None:
        return self.quote() if self.next[:1] == '"' else None

    # What bodies are made of.

    def sees_who(self) -> bool:
        return self.next == "it" or self.next in CLASSES or self.sees_mark(DEVICES)

    def sees_setting(self) -> bool:
        """Whether a key comes, with its value if it is set: temperature is also a thing."""
        behind = "".join(self._tokens[self._at + 1 : self._at + 2])
        if self._verb in ("more", "less", "ask"):
            return self.next in ASKED and behind in ("", ";", "by")
        mark = MARK.fullmatch(behind)
        valued = behind in VALUES or (mark is not None and sort(mark[1]) in VALUE_MARKS)
        return self.next in KEYS and valued

    def who(self) -> Who:
        return Who(self.named(), self.scope())

    def named(self) -> tuple[Pointer, ...] | str:
        marks = self.marks(DEVICES)
        if marks:
            return marks
        if self.next != "it" and self.next not in CLASSES:
            raise self.wrong(pick("a device, it, or a class", "设备、it 或类别"))
        return self.take()

    def may_who(self) -> Who | None:
        return self.who() if self.sees_who() else None

    def scope(self) -> Scope:
        everywhere, elsewhere = self.next == "all", self.next == "elsewhere"
        if everywhere or elsewhere:
            self.take()
        at = self.at()
        but: list[Pointer | str] = []
        if self.next == "but":
            self.take()
            while self.sees_mark(DEVICES | PLACES) or (
                self.next in CLASSES and not (but and self.sees_setting())
            ):
                is_mark = self.sees_mark(DEVICES | PLACES)
                but.append(self.mark(DEVICES | PLACES, "") if is_mark else self.take())
            if not but:
                raise self.wrong(pick("a mark or a class", "标记或类别"))
        return Scope(everywhere=everywhere, elsewhere=elsewhere, at=at, but=tuple(but))

    def at(self) -> tuple[Pointer, ...]:
        if self.next != "at":
            return ()
        self.take()
        found = self.marks(PLACES)
        if not found:
            raise self.wrong(pick("an area or floor", "区域或楼层"))
        return found

    def value(self) -> Value:
        if self.sees_mark(VALUE_MARKS):
            return self.mark(VALUE_MARKS, "")
        return self.word(VALUES, pick("a value", "取值"))

    def pick(self) -> Pick:
        self.take()
        if self.next[:1] == '"':
            return Pick(self.quote())
        if self.sees_mark(TYPES - DEVICES):
            return Pick(self.mark(TYPES, ""))
        return Pick(self.who())

    # Clauses.

    def clause(self) -> Clause:
        when = None
        if self.next == "when":
            self.take()
            when = self.mark(TIMES, pick("a time", "时间"))
            self.word((":",), ":")
        return Clause(self.body(), when)

    def body(self) -> Body:
        verb = self._verb = self.next
        if verb in PLAIN:
            self.take()
            return Plain(verb, self.who())
        if verb in ROBOT:
            return Plain(self.take())
        if verb in SERVED:
            return self.served()
        known: dict[str, Callable[[], Body]] = {
            "set": self.set,
            "more": self.adjust,
            "less": self.adjust,
            "clean": self.clean,
            "ask": self.ask,
            "add": self.add,
            "remove": self.remove,
            "hangup": self.bare,
            "arrive": self.bare,
            "send": self.send,
            "walk": self.walk,
            "turn": self.turn,
            "wish": self.wish,
            "absent": self.absent,
            "unable": self.unable,
            "name": self.name,
            "forget": self.forget,
            "prefer": self.prefer,
            "routine": self.routine,
        }
        if verb not in known:
            raise self.wrong(pick("a verb", "动词"))
        return known[verb]()

    def set(self) -> Body:
        self.take()
        who = self.who()
        values = [self.setting()]
        while self.next in KEYS:
            values.append(self.setting())
        return Set(who, tuple(values))

    def setting(self) -> tuple[str, Value]:
        return self.word(KEYS, pick("what to set", "要设置的属性")), self.value()

    def adjust(self) -> Body:
        more = self.take() == "more"
        who, key = self.who(), self.word(KEYS, pick("what to change", "要调节的属性"))
        by = None
        if self.next == "by":
            self.take()
            by = self.mark(NUMBERS, pick("a number", "数字"))
        return Adjust(more, who, key, by)

    def clean(self) -> Body:
        self.take()
        return Clean(Who(self.named()), self.mark({"area"}, pick("an area", "区域")))

    def ask(self) -> Body:
        self.take()
        if self.next in ("clock", "date"):
            return Ask(None, self.take())
        who, key = self.who(), self.word(ASKED, pick("what is asked", "所问的属性"))
        return Ask(who, key, self.mark(TIMES, "") if self.sees_mark(TIMES) else None)

    def add(self) -> Body:
        self.take()
        who, text = self.who(), self.may_quote()
        marks = self.marks(ADDED)
        if text is None and not marks:
            raise self.wrong(pick("a quote or a time", "引文或时间"))
        return Add(who, text, marks)

    def remove(self) -> Body:
        self.take()
        named = self.named()
        who = Who(named, Scope(at=self.at()))
        if self.next == "all":  # of the entries, not of the lists
            self.take()
            return Remove(who, None, self.but())
        if self.sees_mark(REMOVED):
            return Remove(who, self.mark(REMOVED, ""))
        return Remove(who, self.quote())

    def but(self) -> tuple[Quote | Pointer, ...]:
        found: list[Quote | Pointer] = []
        if self.next == "but":
            self.take()
            while self.sees_mark(REMOVED) or self.next[:1] == '"':
                is_mark = self.sees_mark(REMOVED)
                found.append(self.mark(REMOVED, "") if is_mark else self.quote())
            if not found:
                raise self.wrong(pick("what stays", "要保留的条目"))
        return tuple(found)

    def bare(self) -> Body:
        return Serve(self.take())

    def served(self) -> Body:
        verb = self.take()
        word = SPOKEN.get(verb)
        if word is not None and self.next == word:
            self.take()
            return Serve(verb, word)
        if self.next[:1] == '"':
            return Serve(verb, self.quote())
        return Serve(verb, self.mark(SERVED[verb], " / ".join(sorted(SERVED[verb]))))

    def send(self) -> Body:
        verb = self.take()
        if self.next == "it":
            self.take()
            return Serve(verb, "it", self.quote())
        to: Pointer | Quote = (
            self.quote() if self.next[:1] == '"' else self.mark({"contact"}, "contact")
        )
        return Serve(verb, to, self.quote())

    def walk(self) -> Body:
        self.take()
        distance = self.mark({"metre", "number"}, pick("a distance", "距离"))
        back = self.next == "back"
        if back:
            self.take()
        return Walk(distance, back)

    def turn(self) -> Body:
        self.take()
        angle: Pointer | int
        if self.next in ("90", "180"):
            angle = int(self.take())
        else:
            angle = self.mark({"angle", "degree", "number"}, pick("an angle", "角度"))
        return Turn(angle, self.word(("left", "right"), "left / right") == "left")

    def wish(self) -> Body:
        self.take()
        word = self.word(WISHES, pick("a wish", "愿望"))
        return Wish(word, self.may_who(), self.at())

    def absent(self) -> Body:
        self.take()
        return NotThere(self.quote())

    def unable(self) -> Body:
        self.take()
        return NotPossible(self.may_who(), self.may_quote())

    def name(self) -> Body:
        return Taught(self.take(), self.who(), self.quote())

    def forget(self) -> Body:
        verb, text = self.take(), self.may_quote()
        return Taught(verb, None if text else self.who(), text)

    def prefer(self) -> Body:
        verb, (key, value) = self.take(), self.setting()
        return Taught(verb, key=key, value=value)

    def routine(self) -> Body:
        return Taught(self.take(), text=self.quote())
