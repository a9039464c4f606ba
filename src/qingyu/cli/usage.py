"""Wrong usage explained in the language in force.

    usage.explain(error)     # a TyperException, to stderr

Typer's sentences are English only. The common ones are said anew here from what the error
carries; a rare one is shown as it is.
"""

from __future__ import annotations

import re
from typing import Any

import typer

from qingyu.cli.common import complain
from qingyu.text import pick

# The values Typer found wrong, as its sentences name them.
_SENTENCES = (
    (r"No such option: (?P<a>\S+)", "没有选项 {a}"),
    (r"No such option: (?P<a>\S+) \(Possible options: (?P<b>.*)\)", "没有选项 {a}；相近的有 {b}"),
    (r"No such command '(?P<a>.*?)'", "没有命令 {a}"),
    (r"Option '(?P<a>.*?)' requires an argument", "选项 {a} 需要一个值"),
    (r"Option '(?P<a>.*?)' does not take a value", "选项 {a} 不带值"),
    (r"Got unexpected extra argument(?:s|\(s\))? \((?P<a>.*)\)", "多余的参数：{a}"),
    (r"Missing (?:argument|option) '(?P<a>.*?)'", "缺少 {a}"),
    (r"Input should be a valid integer.*", "应为整数"),
    (r"Input should be a valid number.*", "应为数"),
    (r"Input should be less than or equal to (?P<a>.*)", "不能大于 {a}"),
    (r"Input should be greater than or equal to (?P<a>.*)", "不能小于 {a}"),
)


def explain(error: typer.TyperException) -> None:
    """What was wrong, and where the help is, on stderr."""
    context: Any = getattr(error, "ctx", None)
    parameter = getattr(error, "param", None)
    message = error.format_message()
    lead = ""
    if isinstance(error, typer.BadParameter) and not message.startswith("Missing"):
        message = error.message
        if parameter is not None:
            lead = max(parameter.opts, key=len) + pick(": ", "：")
    message = message.rstrip(".")
    command = context.command_path if context is not None else "qingyu"
    complain(
        lead + pick(in_english(message), in_chinese(message)),
        hint=pick(f"see {command} --help", f"见 {command} --help"),
    )


def in_english(message: str) -> str:
    """A sentence of Typer's, about the value instead of its "input"."""
    return message.replace("Input should be", "it must be").partition(", unable to parse")[0]


def in_chinese(message: str) -> str:
    """A sentence of Typer's in Chinese, or as it is when it is not known."""
    sentence, _, suggestion = message.partition(". Did you mean ")
    for pattern, chinese in _SENTENCES:
        if match := re.fullmatch(pattern, sentence):
            said = chinese.format(**match.groupdict())
            return f"{said}；是不是 {suggestion.rstrip('?')}" if suggestion else said
    return message
