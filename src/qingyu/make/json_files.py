"""JSON files of others: read with a limit, and objects only.

fields = read_object(Path("config.json"))
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qingyu.errors import ModelFileError, ModelNotFoundError
from qingyu.text import pick

_MAX_BYTES = 64 << 20


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object of at most 64 MiB. Raises ModelNotFoundError, ModelFileError."""
    try:
        if not path.is_file() and path.exists():
            raise _wrong(path, "it is not a file", "它不是文件")
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise _wrong(path, "it is larger than 64 MiB", "超过 64 MiB")
        fields = json.loads(raw)
    except FileNotFoundError:
        raise ModelNotFoundError(pick(f"there is no file {path}", f"没有文件 {path}")) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path, f"it is no JSON: {error}", f"不是 JSON：{error}") from None
    if not isinstance(fields, dict):
        raise _wrong(path, "it is no JSON object", "不是 JSON 对象")
    return fields


def _wrong(path: Path, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{path.name}: {english}", f"{path.name}：{chinese}"))
