"""What a sentence asks for, as objects: the terms of the language the skill model writes.

    str(Orders((Clause(Plain("off", Who("light"))),))) == "off light"

They point at marks (`<light>3`, found in the sentence by code) and know no household: what they
mean in one is `resolving`'s to say. `reader.parse_form` makes them from text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Pointer:
    """At a mark of the sentence."""

    type: str
    number: int

    @property
    def domain(self) -> str:
        return self.type.partition(".")[0]

    def __str__(self) -> str:
        return f"<{self.type}>{self.number}"


@dataclass(frozen=True)
class Quote:
    """A piece of the marked sentence."""

    text: str

    def __str__(self) -> str:
        return f'"{self.text}"'


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where: everywhere, or in some areas and floors, or elsewhere (one of another room), or
    (neither) where the speaker is; but without some devices, places or classes."""

    everywhere: bool = False
    elsewhere: bool = False
    at: tuple[Pointer, ...] = ()
    but: tuple[Pointer | str, ...] = ()

    def __str__(self) -> str:
        return _joined(
            "all" if self.everywhere else "elsewhere" if self.elsewhere else "",
            *(("at", *self.at) if self.at else ()),
            *(("but", *self.but) if self.but else ()),
        )


@dataclass(frozen=True)
class Who:
    """Devices: by marks, "it" (what was just talked about), or a class."""

    what: tuple[Pointer, ...] | str
    scope: Scope = Scope()

    @property
    def it(self) -> bool:
        return self.what == "it"

    def __str__(self) -> str:
        named = self.what if isinstance(self.what, tuple) else (self.what,)
        return _joined(*named, self.scope)


Value = Pointer | str


@dataclass(frozen=True)
class Plain:
    """A verb of form_words.PLAIN, or one of ROBOT with nobody."""

    verb: str
    who: Who | None = None

    def __str__(self) -> str:
        return _joined(self.verb, self.who)


@dataclass(frozen=True)
class Set:
    who: Who
    values: tuple[tuple[str, Value], ...]

    def __str__(self) -> str:
        return _joined("set", self.who, *(one for pair in self.values for one in pair))


@dataclass(frozen=True)
class Adjust:
    more: bool
    who: Who
    key: str
    by: Pointer | None = None

    def __str__(self) -> str:
        by = ("by", self.by) if self.by else ()
        return _joined("more" if self.more else "less", self.who, self.key, *by)


@dataclass(frozen=True)
class Clean:
    who: Who
    area: Pointer

    def __str__(self) -> str:
        return _joined("clean", self.who, self.area)


@dataclass(frozen=True)
class Ask:
    """key: of form_words.ASKED; "clock" and "date" ask nobody. about: a time or day of a diary."""

    who: Who | None
    key: str
    about: Pointer | None = None

    def __str__(self) -> str:
        return _joined("ask", self.who, self.key, self.about)


@dataclass(frozen=True)
class Add:
    """To a list: an item, a timer, an alarm, a reminder, an event."""

    who: Who
    text: Quote | None = None
    marks: tuple[Pointer, ...] = ()

    def __str__(self) -> str:
        return _joined("add", self.who, self.text, *self.marks)


@dataclass(frozen=True)
class Remove:
    """From a list; what None: everything, but some."""

    who: Who
    what: Quote | Pointer | None
    but: tuple[Quote | Pointer, ...] = ()

    def __str__(self) -> str:
        but = ("but", *self.but) if self.but else ()
        return _joined("remove", self.who, "all" if self.what is None else self.what, *but)


@dataclass(frozen=True)
class Serve:
    """call, send, launch, navigate, go, follow: with one thing (go here, follow me: the speaker;
    call it, send it: the one last spoken of; a quote: a part of a name, or what is not there);
    hangup, arrive: with nothing."""

    verb: str
    what: Pointer | Quote | Literal["here", "me", "it"] | None = None
    text: Quote | None = None

    def __str__(self) -> str:
        return _joined(self.verb, self.what, self.text)


@dataclass(frozen=True)
class Walk:
    distance: Pointer
    back: bool = False

    def __str__(self) -> str:
        return _joined("walk", self.distance, "back" if self.back else "")


@dataclass(frozen=True)
class Turn:
    """angle: a mark or 90 or 180, degrees."""

    angle: Pointer | int
    left: bool

    def __str__(self) -> str:
        return _joined("turn", self.angle, "left" if self.left else "right")


@dataclass(frozen=True)
class Wish:
    """word: of form_words.WISHES. at: where, if not here."""

    word: str
    who: Who | None = None
    at: tuple[Pointer, ...] = ()

    def __str__(self) -> str:
        return _joined("wish", self.word, self.who, *(("at", *self.at) if self.at else ()))


@dataclass(frozen=True)
class NotThere:
    text: Quote

    def __str__(self) -> str:
        return _joined("absent", self.text)


@dataclass(frozen=True)
class NotPossible:
    who: Who | None = None
    text: Quote | None = None

    def __str__(self) -> str:
        return _joined("unable", self.who, self.text)


@dataclass(frozen=True)
class Taught:
    """name (who, text), forget (who or text), prefer (key, value), routine (text)."""

    verb: str
    who: Who | None = None
    text: Quote | None = None
    key: str = ""
    value: Value | None = None

    def __str__(self) -> str:
        return _joined(self.verb, self.who, self.text, self.key, self.value)


Body = (
    Plain | Set | Adjust | Clean | Ask | Add | Remove | Serve | Walk | Turn | Wish | NotThere
    | NotPossible | Taught
)  # fmt: skip


@dataclass(frozen=True)
class Clause:
    """when: a time; None for now."""

    body: Body
    when: Pointer | None = None

    def __str__(self) -> str:
        return _joined(*(("when", self.when, ":") if self.when else ()), self.body)


@dataclass(frozen=True)
class Orders:
    """What to do, to tell or to remember, in order."""

    clauses: tuple[Clause, ...]

    def __str__(self) -> str:
        return " ; ".join(map(str, self.clauses))


@dataclass(frozen=True)
class Word:
    """talk, yes, no, undo."""

    word: str

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True)
class Pick:
    """The answer to "which one": a mark, a class, an ordinal, a part of a name, or all of them."""

    what: Who | Pointer | Quote

    @property
    def all(self) -> bool:
        return isinstance(self.what, Who) and self.what.scope.everywhere

    def __str__(self) -> str:
        return _joined("pick", self.what)


Form = Orders | Word | Pick


def _joined(*parts: object) -> str:
    return " ".join(text for text in (str(one) for one in parts if one is not None) if text)
