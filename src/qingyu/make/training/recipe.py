"""A recipe in TOML into the typed configuration, and back into JSON.

    config = read_recipe(Path("recipe.toml"), sets=["steps=100", "optimizer.learning_rate=1e-3"])

Generic over frozen dataclasses of int, float, bool, str, Path-like strings, tuples of strings,
other such dataclasses, and each of these or nothing. An unknown key is an error naming it.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from qingyu.errors import InvalidRequestError
from qingyu.make.training.config import TrainingConfig
from qingyu.text import pick

T = TypeVar("T")


def read_recipe(path: Path, sets: Sequence[str] = ()) -> TrainingConfig:
    """Raises InvalidRequestError naming file and key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequestError(
            pick(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}"),
            param="recipe",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            pick(f"{path} is not TOML: {error}", f"{path} 不是 TOML：{error}"), param="recipe"
        ) from error
    for one in sets:
        put(table, one)
    return fill(TrainingConfig, table)


def put(table: dict[str, Any], assignment: str) -> None:
    """Set one key of nested tables: "schedule.shape=wsd". The value is TOML, else text."""
    key, equals, value = assignment.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InvalidRequestError(
            pick(
                f"--set takes KEY=VALUE, as in steps=100, not {assignment!r}",
                f"--set 的格式为 KEY=VALUE，如 steps=100，而不是 {assignment!r}",
            ),
            param="set",
        )
    for depth, part in enumerate(parts[:-1]):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise _wrong(".".join(parts[: depth + 1]), pick("no table", "不是表"))
    try:
        table[parts[-1]] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[parts[-1]] = value.strip()


def fill(kind: type[T], table: Mapping[str, Any], where: str = "") -> T:
    """A dataclass of a table. Raises InvalidRequestError for unknown, missing or wrong keys."""
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in table.items():
        if name not in fields:
            raise _unknown(where + name, list(fields), where)
        values[name] = _value(hints[name], value, where + name)
    for name, one in fields.items():
        needed = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if needed and name not in values:
            raise InvalidRequestError(
                pick(f"the recipe lacks {where}{name}", f"配方缺少 {where}{name}"),
                param=where + name,
            )
    return kind(**values)


def _value(hint: Any, value: Any, key: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [one for one in typing.get_args(hint) if one is not type(None)]
        if value is None:
            return None
        assert len(kinds) == 1, hint
        hint = kinds[0]
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _wrong(key, pick("not a table", "不是表"))
        return fill(typing.cast(Any, hint), value, f"{key}.")
    if typing.get_origin(hint) is tuple:
        (inner, _) = typing.get_args(hint)
        if not isinstance(value, list | tuple):
            raise _wrong(key, pick(f"{value!r}, not a list", f"{value!r}，不是列表"))
        return tuple(_value(inner, one, key) for one in value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        names = {int: "integer", float: "number", bool: "true / false", str: "text"}
        raise _wrong(key, f"{value!r}, {pick('not', '不是')} {names[hint]}")
    return value


def changes(old: Any, new: Any, where: str = "") -> dict[str, tuple[Any, Any]]:
    """Keys in which two configurations of one type differ, with both values."""
    found: dict[str, tuple[Any, Any]] = {}
    for one in dataclasses.fields(old):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if before == after:
            continue
        if dataclasses.is_dataclass(before) and type(before) is type(after):
            found |= changes(before, after, f"{where}{one.name}.")
        else:
            found[where + one.name] = before, after
    return found


def _unknown(key: str, known: Sequence[str], where: str) -> InvalidRequestError:
    close = difflib.get_close_matches(key.removeprefix(where), known, n=1, cutoff=0.7)
    meant = "".join(
        pick(f"; did you mean {where}{one}?", f"；是否为 {where}{one}？") for one in close
    )
    names = ", ".join(known)
    return InvalidRequestError(
        pick(
            f"the recipe has an unknown key {key}{meant}; known are {names}",
            f"配方中有未知的键 {key}{meant}；已有：{names}",
        ),
        param=key,
    )


def _wrong(key: str, what: str) -> InvalidRequestError:
    return InvalidRequestError(
        pick(f"{key} in the recipe is {what}", f"配方中的 {key} 为 {what}"), param=key
    )
