"""What the routes under /assist take and give.

    body = parse(SayRequest, await read_json(request, limits))

For people and programs it is in docs/act.md; `home_view` makes what is described here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qingyu.serve.fields import Strict
from qingyu.text import pick

Language = Literal["en", "zh"]
Speaker = Annotated[str, Field(max_length=100)]
LONGEST_TEXT = 4000
"""Characters; the assistant itself says so of what is too long for an order."""


class SayRequest(Strict):
    """A sentence. speaker: the area where the person is, or any name for a conversation of its
    own; null: as the household's file says. language: of the reply; null: the sentence's. turn:
    of the answer this one answers: a yes to something else is refused (400, param "turn")."""

    text: Annotated[str, Field(max_length=LONGEST_TEXT)]
    speaker: Speaker | None = None
    language: Language | None = None
    turn: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class UndoRequest(Strict):
    """Whose page or program asks; what is undone is the household's last turn."""

    speaker: Speaker | None = None
    language: Language | None = None


class OneOrAll(Strict):
    """One of a list by its number, or all of it."""

    id: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one(self) -> OneOrAll:
        if (self.id is None) != self.all:
            raise ValueError(pick("give id, or all: true", "请给出 id，或 all: true"))
        return self


class Words(BaseModel):
    """A text in both languages."""

    en: str
    zh: str


class Place(BaseModel):
    """A floor or an area. floor: of an area, "" for none."""

    id: str
    name: Words
    floor: str


class Device(BaseModel):
    """labels: what "state" and each attribute is called. ranges: of numbers, lowest and highest,
    null for no end."""

    id: str
    domain: str
    kind: str
    area: str
    name: Words
    labels: dict[str, Words]
    ranges: dict[str, tuple[float | None, float | None]]


class Shown(Words):
    """A value as it is kept, and in words; entries of a list a line each."""

    value: Any


class HomeState(BaseModel):
    """What there is and how it is. values: {device: {"state" or attribute: value}}."""

    household: str
    speaker: str
    floors: list[Place]
    areas: list[Place]
    devices: list[Device]
    values: dict[str, dict[str, Shown]]


class CallObject(BaseModel):
    """A call of the vocabulary."""

    action: str
    entity: str
    arguments: dict[str, Any]


class VerdictObject(BaseModel):
    """What the guard said of a call. More fields say what it is about: reason, key, value, low,
    high, step, unit, options, speed, because."""

    model_config = ConfigDict(extra="allow")
    outcome: Literal["fine", "already", "unsupported", "out_of_range", "absent", "not_now", "risky"]
    call: CallObject
    words: Words


class ChangeObject(BaseModel):
    """One value that is another now. before: null where it was not known."""

    device: Words
    what: Words
    before: Words | None
    after: Words


class StepObject(BaseModel):
    """A call that a device was told. before, after: {device: {key: value}} of what changed."""

    call: CallObject
    words: Words
    outcome: Literal["done", "failed", "no_answer"]
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    changes: list[ChangeObject]
    detail: str


class ScheduleObject(BaseModel):
    """moment: as it was said, "+600" or "sunset". at: local time. rings: it is of a timer, an
    alarm, a reminder or an event, and tells so. words: of each call."""

    id: int
    text: str
    moment: str
    at: str
    days: str
    rings: bool
    calls: list[CallObject]
    status: Literal["pending", "claimed", "done", "failed", "unclear", "missed", "cancelled"]
    detail: str
    words: list[Words]


class AnswerObject(BaseModel):
    """path: who understood it. form: what the skill model said. pending: what is asked back;
    choices: the names of the candidates. seconds: from text to reply. turn: its number in this
    conversation, for the answer to it."""

    text: str
    language: Language
    path: Literal["fast", "model", "rule", "talk", "none"]
    form: str
    verdicts: list[VerdictObject]
    steps: list[StepObject]
    planned: list[ScheduleObject]
    pending: Literal["", "confirm", "which"]
    candidates: list[str]
    choices: list[Words]
    dropped: list[CallObject]
    seconds: float
    turn: int


class MemoryObject(BaseModel):
    """Something that was taught. about: a device or area; value: of a preference; words: what a
    routine does."""

    id: int
    at: str
    kind: Literal["nickname", "preference", "routine"]
    name: str
    about: Words | None
    value: str | int | float | bool | None
    words: list[Words]


class MemoryList(BaseModel):
    """All of it, in the order it was taught."""

    data: list[MemoryObject]


class ScheduleList(BaseModel):
    """Those that wait, the next one first."""

    data: list[ScheduleObject]
