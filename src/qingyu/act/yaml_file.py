"""YAML as people write it by hand, read without surprises.

    values = read_yaml(path, WorldError)

Only plain data: no Python objects, no references (`&x`, `*x`), no key twice in a mapping, at
most 4 MiB. An error names the file, the line and the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from qingyu.errors import QingyuError
from qingyu.text import pick

MAX_BYTES = 4 << 20


def read_yaml(path: Path, kind: type[QingyuError]) -> Any:
    """What a file holds. Raises an error of the given kind."""
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if size <= MAX_BYTES else ""
    except OSError as error:
        raise kind(
            pick(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")
        ) from None
    except UnicodeDecodeError as error:
        raise kind(
            pick(
                f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8",
                f"{path} 第 {error.start} 字节不是 UTF-8；请存为 UTF-8",
            )
        ) from None
    if size > MAX_BYTES:
        raise kind(
            pick(
                f"{path} has {size} bytes, more than {MAX_BYTES}; split it",
                f"{path} 有 {size} 字节，超过 {MAX_BYTES}；请拆分",
            )
        )
    # libyaml where the package was built with it: ten times as fast, and the same result.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, set(), path, kind)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise kind(
            pick(f"{path} is no YAML: {error}", f"{path} 不是有效的 YAML：{error}")
        ) from None
    except (ValueError, RecursionError) as error:
        raise kind(
            pick(f"{path} is no YAML: {error}", f"{path} 不是有效的 YAML：{error}")
        ) from None
    finally:
        loader.dispose()


def _check(node: Any, seen: set[int], path: Path, kind: type[QingyuError]) -> None:
    """Refuses references and keys that are there twice, the last of which would win silently."""
    if id(node) in seen:
        raise _at(
            node, path, kind, "a reference (*name); write it out", "引用（*名称）；请直接写出"
        )
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            _check(one, seen, path, kind)
    elif isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            name = str(key.value)
            if name in keys:
                raise _at(
                    key, path, kind, f"{name} twice; keep one of them", f"重复的 {name}；请只留一个"
                )
            keys.add(name)
            _check(key, seen, path, kind)
            _check(value, seen, path, kind)


def _at(node: Any, path: Path, kind: type[QingyuError], english: str, chinese: str) -> QingyuError:
    line = node.start_mark.line + 1
    return kind(pick(f"{path}: line {line} has {english}", f"{path}：第 {line} 行有{chinese}"))


def close_to(name: str, known: Iterable[str]) -> tuple[str, str]:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    names = [str(one) for one in known]
    if close := difflib.get_close_matches(name, names, 1):
        return f"; did you mean {close[0]}?", f"；是否指 {close[0]}？"
    return f"; known are {', '.join(names)}", f"；可用：{'、'.join(names)}"
