"""What to build a data set from, as a TOML file read into typed values.

    recipe = read_recipe(Path("recipe.toml"))       # recipe.sources[0].paths, recipe.quality

Every key is checked: an unknown one, a wrong type or an impossible value is an error naming it.
Paths are relative to the recipe's folder. All keys: docs/data.md.
"""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from qingyu.errors import DataError
from qingyu.text import pick

Kind = Literal["html", "text", "jsonl", "parquet", "chat", "man"]
REGISTRIES = ("debian", "npm", "pypi")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Files of one kind and licence.

    paths: files, folders or patterns (`crawl/**/*.html`). package: "debian:NAME", "npm:NAME" or
    "pypi:NAME", then paths are within the package. field: of the text, in JSON lines and Parquet.
    separator: a line that parts documents of a text file. encoding: of its files, else found out.
    repeat: how many times its documents go in. trusted: no quality rules, for edited collections.
    """

    kind: Kind
    paths: tuple[str, ...]
    licence: str
    name: str = ""
    package: str = ""
    field: str = "text"
    separator: str = ""
    encoding: str = ""
    repeat: int = 1
    trusted: bool = False

    def __post_init__(self) -> None:
        if not self.paths:
            raise _wrong("source.paths", "is empty", "为空")
        if not 1 <= self.repeat <= 100:
            raise _wrong("source.repeat", "is not between 1 and 100", "不在 1 到 100 之间")
        registry, _, name = self.package.partition(":")
        if self.package and (registry not in REGISTRIES or not name):
            known = ", ".join(f"{one}:NAME" for one in REGISTRIES)
            raise _wrong("source.package", f"is not one of {known}", f"应为 {known} 之一")

    @property
    def title(self) -> str:
        return self.name or self.package or ", ".join(self.paths)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Bounds of the quality rules; `qingyu.make.data.quality` says what each measures."""

    min_units: int = 60
    max_units: int = 1_000_000
    min_function_share: float = 0.06
    min_marks: float = 0.01
    max_symbols: float = 0.25
    max_digits: float = 0.3
    max_repeated_lines: float = 0.35
    max_repeated_phrases: float = 0.3
    max_list_lines: float = 0.9
    max_short_lines: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """near: remove near duplicates by MinHash; ngram, bands, rows: its settings. Documents are
    found with even odds at a similarity of (1 / bands) ** (1 / rows)."""

    exact: bool = True
    near: bool = True
    ngram: int = 5
    bands: int = 14
    rows: int = 8


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A data set. languages: which are kept. traditional: "keep" or "simplify" Chinese text.
    contamination: "check" where questions are there, "require" them, or "off".
    mask: whether personal data is masked."""

    tokenizer: str
    sources: tuple[Source, ...]
    name: str = "data"
    seed: int = 0
    languages: tuple[str, ...] = ("zh", "en")
    traditional: Literal["keep", "simplify"] = "keep"
    mask: bool = True
    contamination: Literal["check", "require", "off"] = "check"
    quality: Quality = field(default_factory=Quality)
    duplicates: Duplicates = field(default_factory=Duplicates)
    shard_tokens: int = 1 << 26

    def __post_init__(self) -> None:
        if not self.sources:
            raise _wrong("source", "is missing: name at least one", "缺失：至少要有一个来源")
        unknown = set(self.languages) - {"zh", "en", "other"}
        if unknown or not self.languages:
            raise _wrong("languages", "are among zh, en, other", "只能取 zh、en、other")
        if self.shard_tokens < 1024:
            raise _wrong("shard_tokens", "is below 1024", "小于 1024")

    @property
    def has_chat(self) -> bool:
        return any(source.kind == "chat" for source in self.sources)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_recipe(path: Path) -> Recipe:
    """Raises DataError naming the file, the key and what is wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            pick(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(
            pick(f"{path} is no TOML: {error}", f"{path} 不是有效的 TOML：{error}")
        ) from None
    if "source" in values:
        values["sources"] = values.pop("source")
    try:
        recipe: Recipe = _make(Recipe, values, "")
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return recipe


def _make(kind: Any, values: Any, where: str) -> Any:
    """A dataclass from a table, every key checked."""
    if not isinstance(values, dict):
        raise _wrong(where, "is not a table", "不是表")
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}
    for key in values:
        if key not in known:
            import difflib

            shown = [_shown(name) for name in known]
            close = difflib.get_close_matches(key, shown, 1)
            hint_en = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(shown)}"
            hint_zh = f"；是否指 {close[0]}？" if close else f"；可用：{'、'.join(shown)}"
            raise _wrong(where + key, f"is no key of a recipe{hint_en}", f"不是配方的键{hint_zh}")
    for name, one in known.items():
        if name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise _wrong(where + _shown(name), "is missing", "缺失")
    return kind(
        **{name: _value(hints[name], value, where + _shown(name)) for name, value in values.items()}
    )


def _shown(name: str) -> str:
    return "source" if name == "sources" else name


def _value(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _make(kind, value, where + ".")
    if origin is Literal:
        if value not in get_args(kind):
            known = ", ".join(map(str, get_args(kind)))
            raise _wrong(where, f"is {value!r}; it may be {known}", f"为 {value!r}；可取 {known}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, "is not a list", "不是列表")
        return tuple(_value(get_args(kind)[0], one, where) for one in value)
    if origin in (Union, UnionType):
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(
            where,
            f"is {value!r}, not of type {kind.__name__}",
            f"为 {value!r}，类型应为 {kind.__name__}",
        )
    return value


def _wrong(where: str, english: str, chinese: str) -> DataError:
    return DataError(pick(f"{where} {english}", f"{where} {chinese}"))
