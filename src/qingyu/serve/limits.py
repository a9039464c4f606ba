"""Reads a request's body, bounded in every way, and checks it against a model of it.

    data = await read_json(request)
    body = parse(ChatRequest, data)

What is wrong becomes an ApiError that names the field.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from qingyu.serve.problems import ApiError
from qingyu.serve.settings import Limits
from qingyu.text import pick

Body = TypeVar("Body", bound=BaseModel)

# No field of the API is longer; Python would refuse 4,300 digits with an error of its own.
_LONGEST_NUMBER = 400
# Kinds of validation errors that say more than others.
_TELLING = {"unsupported": 2, "extra_forbidden": 1, "string_type": -1}
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATES = re.compile("[\ud800-\udfff]")


async def read_json(request: Request, limits: Limits) -> Any:
    """The body as JSON. Raises ApiError 400, 408, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            415,
            pick(
                f"the content type is {kind or 'missing'}; send application/json",
                f"内容类型为 {kind or '空'}；请发送 application/json",
            ),
        )
    text = (await _read_body(request, limits)).strip()
    if not text:
        raise ApiError(400, pick("the body is empty; send JSON", "请求体为空；请发送 JSON"))
    if len(text) > 1 << 16:
        return await asyncio.to_thread(_decode, text, limits)
    return _decode(text, limits)


async def _read_body(request: Request, limits: Limits) -> bytes:
    most = limits.body_bytes
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:18]) > most:
        raise _too_large(most)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                pieces.append(piece)
    except TimeoutError:
        raise ApiError(
            408,
            pick(
                f"the body did not arrive within {limits.body_seconds:g} s",
                f"请求体未在 {limits.body_seconds:g} 秒内到达",
            ),
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise ApiError(400, pick("the client went away", "客户端已断开")) from None
    return b"".join(pieces)


def _too_large(most: int) -> ApiError:
    return ApiError(
        413,
        pick(
            f"the body is larger than {most} bytes",
            f"请求体超过 {most} 字节",
        ),
        headers={"Connection": "close"},
    )


def _decode(raw: bytes, limits: Limits) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ApiError(
            400,
            pick(
                f"the body is not UTF-8 at byte {error.start}",
                f"请求体第 {error.start} 字节处不是 UTF-8",
            ),
        ) from None
    _check_shape(text, limits)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_short_integer,
            parse_float=_finite,
        )
        check_texts(value)
        return value
    except json.JSONDecodeError as error:
        raise ApiError(
            400,
            pick(
                f"the body is no JSON: {error.msg} at character {error.pos}",
                f"请求体不是 JSON：第 {error.pos} 个字符处 {error.msg}",
            ),
        ) from None


def _check_shape(text: str, limits: Limits) -> None:
    """Before parsing, since parsing recurses and allocates."""
    depth = count = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        first = found[0][0]
        if first in "[{":
            depth += 1
            count += 1
            if depth > limits.json_depth:
                raise ApiError(
                    400,
                    pick(
                        f"the JSON is nested deeper than {limits.json_depth} levels",
                        f"JSON 嵌套超过 {limits.json_depth} 层",
                    ),
                )
            if count > limits.json_containers:
                raise ApiError(
                    400,
                    pick(
                        f"the JSON has more than {limits.json_containers} lists and objects",
                        f"JSON 中的数组和对象超过 {limits.json_containers} 个",
                    ),
                )
        elif first in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ApiError(
                400,
                pick(f"the key {key[:80]!r} appears twice", f"键 {key[:80]!r} 出现了两次"),
            )
        _check_text(key)
        found[key] = value
    return found


def _check_text(text: str) -> None:
    if _SURROGATES.search(text):
        raise ApiError(
            400,
            pick(
                "a text has half of a surrogate pair, which is no character",
                "文本中有不成对的代理码位，不是有效字符",
            ),
        )


def _no_constant(name: str) -> Any:
    raise ApiError(400, pick(f"{name} is no JSON number", f"{name} 不是 JSON 数"))


def _short_integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ApiError(400, pick("a number is too long", "有数字过长"))
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if len(digits) > _LONGEST_NUMBER or value in (float("inf"), float("-inf")):
        raise ApiError(400, pick("a number is too large", "有数字过大"))
    return value


def parse(model: type[Body], data: Any) -> Body:
    """data as `model`. Raises ApiError 400 naming the first field that is wrong."""
    if not isinstance(data, dict):
        raise ApiError(400, pick("the body must be a JSON object", "请求体应为 JSON 对象"))
    try:
        body = model.model_validate(data)
    except ValidationError as error:
        raise _first(error, data) from None
    return body


def check_texts(value: Any) -> None:
    """Raises ApiError when a text anywhere in value has lone surrogates."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            _check_text(one)
        elif isinstance(one, dict):
            stack += one.values()
        elif isinstance(one, list):
            stack += one


def _first(error: ValidationError, data: Any) -> ApiError:
    """The most telling of a validation's errors as one sentence."""
    errors = error.errors(include_url=False, include_input=False)
    # Of a union's alternatives the one that came furthest says most.
    worst = max(errors, key=lambda one: (_TELLING.get(one["type"], 0), len(one["loc"])))
    path = ".".join(_path(worst["loc"], data, missing=worst["type"] == "missing"))
    if worst["type"] == "contradiction":
        return ApiError(400, worst["msg"], param=worst["ctx"]["field"], code="invalid_value")
    message = worst["msg"].removeprefix("Value error, ")
    code = "invalid_value"
    if worst["type"] == "extra_forbidden":
        message = pick("is not a known field", "不是已知字段")
        code = "unknown_parameter"
    elif worst["type"] == "missing":
        message = pick("is missing", "缺失")
        code = "missing_required_parameter"
    elif worst["type"] == "unsupported":
        code = "unsupported_parameter"
    return ApiError(400, f"{path}: {message}" if path else message, param=path or None, code=code)


def _path(location: Sequence[int | str], data: Any, *, missing: bool) -> Iterator[str]:
    """The parts of an error's location that lead somewhere in data. The others are names of
    union members and validators. missing: the last one is what should have been there."""
    for number, part in enumerate(location):
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and part in range(len(data)):
            data = data[int(part)]
        elif not (missing and number == len(location) - 1):
            continue
        yield str(part)
