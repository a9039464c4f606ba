"""The terms the vocabulary is written in: attributes, parameters, actions, domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "percent", "number", "bool", "option", "text", "time", "moment", "reading", "texts", "records"
]
"""time: "HH:MM". moment: "YYYY-MM-DD HH:MM". reading: what a sensor says, number or text."""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """A state, an attribute, a parameter or a field of a record: which values it can have.

    low, high, step: of numbers, in `unit`; a household's file may narrow or widen low and high.
    options: what any device of the domain may offer, all of them unless the device has a list of
    its own, which `chosen_by` names ("options.source"; "area" and "contact" are lists of the
    world). blank: may be "". zero_is_off: setting it to 0 turns the device off.
    access: "set" by actions, "read" only, "fixed" for good, "memory" (kept, never reported).
    """

    english: str
    chinese: str
    kind: Kind
    unit: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    options: tuple[str, ...] = ()
    chosen_by: str = ""
    blank: bool = False
    zero_is_off: bool = False
    access: Literal["set", "read", "fixed", "memory"] = "set"
    fields: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def numeric(self) -> bool:
        return self.kind in ("percent", "number")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What an action is told. sets: the key it changes ("state" or an attribute), else ""."""

    value: Attribute
    sets: str = ""
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Action:
    """needs: attributes without which a device cannot do it. risky: "always", "never", or "some",
    where the guard decides by the device and its state. one_of: a parameter must be given."""

    english: str
    chinese: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    risky: Literal["never", "some", "always"] = "never"
    one_of: bool = False


@dataclass(frozen=True, kw_only=True)
class Domain:
    """state is None where a thing has no state of its own, as a list has none."""

    english: str
    chinese: str
    state: Attribute | None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)

    def option_keys(self) -> dict[str, Attribute]:
        """The lists of options a device may have of its own, each with what chooses from it."""
        every = [*self.attributes.values()] + ([self.state] if self.state else [])
        return {
            one.chosen_by.removeprefix("options."): one
            for one in every
            if one.chosen_by.startswith("options.")
        }
