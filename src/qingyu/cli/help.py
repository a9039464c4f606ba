"""Help pages in the language in force, plain and aligned for both.

    app = typer.Typer(cls=Group, rich_markup_mode=None)
    app.command("chat", cls=Command)(chat)

Typer's own pages are English only, and align Chinese by characters instead of columns. Rich's
are prettier, and cost 100 ms before the first letter.
"""

from __future__ import annotations

import re
import shutil
from typing import Any

import typer.core

from qingyu.cli import layout
from qingyu.text import pick


def page_width() -> int:
    """Columns for a help page: the terminal's, within reason."""
    return max(60, min(shutil.get_terminal_size((80, 24)).columns, 100))


def _described(parameter: Any, context: Any) -> tuple[str, str] | None:
    """An argument's or option's line: its name, and what it is for with its default."""
    record = parameter.get_help_record(context)
    if record is None:
        return None
    term = record[0]
    if parameter.param_type_name == "argument":
        term = term.partition(" <")[0]  # its type; the words beside it say what is wanted
    if (own := _typer_s_own().get(max(parameter.opts, key=len))) is not None:
        return term, own
    description, default = parameter.help or "", ""
    # "[default: (text)]" when the default is described, "[default: value; range]" otherwise.
    if match := re.search(r"default: (?:\((.*)\)|([^;\]]*))", record[1]):
        default = match[1] or match[2]
    extra = pick(f"default: {default}", f"默认：{default}") if default else ""
    if parameter.required:
        extra = pick("required", "必填")
    return term, f"{description}  [{extra}]" if extra else description


def _typer_s_own() -> dict[str, str]:
    """What the options that Typer adds by itself do."""
    return {
        "--help": pick("show this page", "显示本页"),
        "--install-completion": pick(
            "install tab completion for this shell", "为当前 shell 安装补全"
        ),
        "--show-completion": pick(
            "print tab completion for this shell", "显示当前 shell 的补全脚本"
        ),
    }


def render(command: Any, context: Any) -> str:
    """A command's help page, or that of the whole program."""
    total = page_width()
    lines = [pick("Usage: ", "用法：") + context.command_path + " " + _usage(command, context)]
    lines += ["", *layout.wrap(command.help or "", total)]
    rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.get_params(context):
        if record := _described(parameter, context):
            rows[parameter.param_type_name].append(record)
    commands = [
        (name, subcommand.short_help or _first_sentence(subcommand.help or ""))
        for name in (command.list_commands(context) if hasattr(command, "commands") else ())
        if not (subcommand := command.commands[name]).hidden
    ]
    for title, section in (
        (pick("Commands:", "命令："), commands),
        (pick("Arguments:", "参数："), rows["argument"]),
        (pick("Options:", "选项："), rows["option"]),
    ):
        if section:
            lines += ["", title, *layout.two_columns(section, total=total)]
    if command.epilog:
        lines += ["", *layout.wrap(command.epilog, total)]
    return "\n".join(lines)


def _first_sentence(text: str) -> str:
    return re.split(r"\. |\.$|。|\n", text, maxsplit=1)[0]


def _usage(command: Any, context: Any) -> str:
    pieces = [pick("[OPTIONS]", "[选项]")]
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            name = (parameter.metavar or parameter.name.upper()).strip("[].")
            pieces.append(
                (name if parameter.required else f"[{name}]")
                + ("..." if parameter.nargs != 1 else "")
            )
    if hasattr(command, "commands"):
        pieces.append(pick("COMMAND ...", "命令 ..."))
    return " ".join(pieces)


class Command(typer.core.TyperCommand):
    """A verb whose help page is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(render(self, ctx) + "\n")


class Group(typer.core.TyperGroup):
    """The program, or a verb with verbs of its own."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(render(self, ctx) + "\n")

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of registration; a group stands before those of its verbs that stand
        here as well (Typer registers groups last)."""
        names = [name for name in self.commands if not hasattr(self.commands[name], "commands")]
        for name in self.commands.keys() - set(names):
            inside = self.commands[name].commands  # type: ignore[attr-defined]
            places = [place for place, other in enumerate(names) if other in inside]
            names.insert(min(places, default=len(names)), name)
        return names
