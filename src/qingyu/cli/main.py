"""The program `qingyu`: chooses the language, lists the verbs, shows errors.

    from qingyu.cli.main import run
    run(["generate", "--max-tokens", "8", "Once upon a time"])    # the exit code

Exit codes: 0 done, 1 an error the message explains, 2 wrong usage, 130 interrupted.
`QINGYU_DEBUG=1` shows the traceback of an error as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from qingyu import text
from qingyu.cli import (
    act_bench,
    assist,
    bench,
    chat,
    common,
    compare,
    data,
    doctor,
    evaluate,
    generate,
    import_hf,
    inspect,
    leaderboard,
    models,
    receipt,
    report,
    serve,
    tokenize,
    train,
    usage,
)
from qingyu.cli.common import complain, notice
from qingyu.cli.help import Command, Group
from qingyu.errors import QingyuError
from qingyu.text import pick

VERBS = (
    chat,
    generate,
    assist,
    serve,
    models,
    data,
    train,
    import_hf,
    evaluate,
    compare,
    report,
    receipt,
    leaderboard,
    act_bench,
    inspect,
    tokenize,
    bench,
    doctor,
)
# These lock themselves when it is time, or must not be locked.
_UNLOCKED = {"serve", "pull", "assist"}


class App(typer.Typer):
    """A Typer whose verbs have our help pages."""

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:
        options.setdefault("cls", Command)
        return super().command(name, **options)


def program(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help=pick("print the version", "显示版本"))
    ] = False,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="en|zh",
            show_default=pick("by locale", "随系统语言"),
            help=pick(
                "language of all text; may stand anywhere. Variable: QINGYU_LANG",
                "界面语言，可写在任何位置。变量：QINGYU_LANG",
            ),
        ),
    ] = None,
) -> None:
    assert lang is None, "choose_language has taken it"
    if version:
        import qingyu

        print(f"qingyu {qingyu.__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def build_app() -> typer.Typer:
    """The program in the language in force."""
    app = App(cls=Group, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(
        invoke_without_command=True,
        help=pick(
            "Qingyu runs a lightweight language model on this machine, and tells nobody.",
            "轻语：在你自己的机器上运行轻量语言模型，不向任何人透露。",
        ),
        epilog=pick(
            "Begin with: qingyu pull default, then qingyu chat. Every command has --help.",
            "从这里开始：qingyu pull default，然后 qingyu chat。每个命令都有 --help。",
        ),
    )(program)
    for verb in VERBS:
        verb.register(app)
    return app


def choose_language(arguments: list[str]) -> list[str]:
    """Take `--lang` out of the arguments, wherever it stands before `--`, and heed it.

    It has to be known before the app is built, because the help pages are made then.
    """
    rest: list[str] = []
    waiting = iter(arguments)
    text.use(None)
    for argument in waiting:
        if argument == "--":
            return [*rest, argument, *waiting]
        name, equals, value = argument.partition("=")
        if name != "--lang":
            rest.append(argument)
            continue
        value = value if equals else next(waiting, "")
        if value not in text.LANGUAGES:
            raise typer.BadParameter(
                pick(
                    f"--lang takes en or zh, not {value!r}",
                    f"--lang 只接受 en 或 zh，不是 {value!r}",
                )
            )
        text.use(value)
    return rest


def run(arguments: list[str], *, locked: bool = False) -> int:
    """Run one command line (without the program's name) and return its exit code. locked: seal
    the process first, for good; only a process of its own should be."""
    try:
        rest = choose_language(arguments)  # first: the app is built in that language
        if locked:
            lock(rest)
        result = build_app()(args=rest, prog_name="qingyu", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except QingyuError as error:
        if os.environ.get("QINGYU_DEBUG"):
            raise
        complain(str(error))
        return 1
    except typer.TyperException as error:
        usage.explain(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130


def lock(arguments: list[str]) -> None:
    """Seal this process unless its verb needs the network: only `pull` does."""
    from qingyu.serve.seal.inherited import close_sockets

    close_sockets()
    words = [word for word in arguments if not word.startswith("-")][:2]
    common.locks_late = words[:1] == ["assist"]  # after the ways to its devices are open
    # Its probes lock processes of their own, and need an open one to compare with.
    probing = words[:1] == ["doctor"] and "--network" in arguments
    asking = words[:1] in (["eval"], ["act-bench"]) and any(
        _names_network(word) for word in arguments
    )
    # Under torchrun: its processes talk to each other.
    spread = words[:1] == ["train"] and os.environ.get("WORLD_SIZE", "1") != "1"
    fetching = words[:1] == ["data"] and "--fetch" in arguments
    outside = probing or asking or spread or fetching or words == ["models", "pull"]
    if words and words[0] not in _UNLOCKED and not outside:
        found = common.lock_now()
        if words[0] == "generate" and not found.sealed:
            # `chat` and `serve` say how they stand when they begin; this has no such line.
            notice(found.summary)


def _names_network(argument: str) -> bool:
    """Whether an argument of `eval` or `act-bench` asks other machines."""
    return argument.partition("=")[0] in ("--endpoint", "--ray")


def main() -> NoReturn:
    """Entry point of the `qingyu` command."""
    sys.exit(run(sys.argv[1:], locked=True))
