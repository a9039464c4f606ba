"""What several verbs need: opening a model, notices, sizes for people.

    model = open_model("default", context=None, threads=None)

Answers go to stdout; everything said about them goes to stderr. Colour is used on a terminal
only, and never with NO_COLOR.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model
    from qingyu.engine.results import Result
    from qingyu.serve.seal import SealStatus

RED, DIM, BOLD = "31", "2", "1"
# What stands for answering without an adapter.
NO_ADAPTER = "none"
locks_late = False
"""Whether the verb that runs is to call `lock_now` itself; set by `main.lock`."""


def styled(text: str, style: str, stream: TextIO) -> str:
    """Text in a style when the stream is a terminal that wants colour."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\x1b[{style}m{text}\x1b[0m"


def stream_out(piece: str) -> None:
    """A piece of an answer to stdout, at once."""
    sys.stdout.write(piece)
    sys.stdout.flush()


def notice(text: str) -> None:
    """A quiet line on stderr."""
    print(styled(text, DIM, sys.stderr), file=sys.stderr, flush=True)


def complain(text: str, *, hint: str = "") -> None:
    """An error in one paragraph on stderr."""
    lead = styled(pick("error: ", "错误："), RED, sys.stderr)
    print(lead + text + (f"\n{hint}" if hint else ""), file=sys.stderr, flush=True)


def print_json(record: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout."""
    print(json.dumps(record, ensure_ascii=False))


def open_model(
    reference: str,
    *,
    context: int | None = None,
    threads: int | None = None,
    template: str | None = None,
    activation_bits: int = 8,
    adapters: Mapping[str, Path] | None = None,
) -> Model:
    """Load a model for a verb, saying so on a terminal while it takes time."""
    import qingyu

    waiting = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if waiting:
        print(pick(f"loading {reference} ...", f"正在加载 {reference} …"), end="", file=sys.stderr)
        sys.stderr.flush()
    more: dict[str, Any] = {"adapters": adapters} if adapters else {}
    try:
        return qingyu.load(
            reference,
            context=context,
            threads=threads,
            template=template,
            activation_bits=activation_bits,
            **more,
        )
    finally:
        if waiting:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def lock_now() -> SealStatus:
    """Seal this process for good, with all files within reach: a person at a terminal names them
    as they go."""
    from qingyu.serve.seal import prepare, seal

    everything = [Path("/")]
    prepare(read=everything, write=everything)
    return seal()


def read_adapters(given: Sequence[str] | None) -> dict[str, Path]:
    """Names and files of "NAME=FILE" arguments. Raises BadParameter for what is none, a name
    that cannot be, one that is given twice, and a file that is not there."""
    from qingyu.errors import InvalidRequestError
    from qingyu.models.adapter import checked_name

    adapters: dict[str, Path] = {}
    for text in given or ():
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise typer.BadParameter(
                pick(
                    f"--adapter {text!r}: write it as NAME=FILE, as poet=poet.gguf",
                    f"--adapter {text!r}：请写作 名称=文件，如 poet=poet.gguf",
                )
            )
        try:
            checked_name(name)
        except InvalidRequestError as error:
            raise typer.BadParameter(f"--adapter: {error}") from None
        if name in adapters or name == NO_ADAPTER:
            raise typer.BadParameter(
                pick(
                    f"--adapter: the name {name!r} is taken; use another",
                    f"--adapter：名称 {name!r} 已被占用；请换一个",
                )
            )
        adapters[name] = Path(file).expanduser()
        if not adapters[name].is_file():
            raise typer.BadParameter(
                pick(f"--adapter: there is no file {file}", f"--adapter：没有文件 {file}")
            )
    return adapters


def chosen_adapter(adapters: Mapping[str, Path], wanted: str | None) -> str | None:
    """The adapter to answer with: the first unless another is named. Raises BadParameter for one
    that is not among them."""
    if wanted is None:
        return next(iter(adapters), None)
    if wanted == NO_ADAPTER:
        return None
    if wanted not in adapters:
        known = ", ".join([*adapters, NO_ADAPTER])
        raise typer.BadParameter(
            pick(
                f"--use-adapter {wanted!r} names none of these: {known}",
                f"--use-adapter {wanted!r} 不在其中：{known}",
            )
        )
    return wanted


def human_bytes(count: float) -> str:
    """A size in binary units, three digits: 93.8 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def human_count(count: int) -> str:
    """A number of parameters: 135M, 6.4B."""
    if count >= 1e9:
        return f"{count / 1e9:.3g}B"
    return f"{count / 1e6:.3g}M" if count >= 1e6 else f"{count:,}"


def printable(text: str) -> str:
    """Text without control characters other than line break and tab.

    What a model says, or a model file holds, comes from strangers; on a terminal an escape
    sequence in it could move the cursor, retitle the window or worse.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) != "Cc" else "\ufffd"
        for character in text
    )


def speed(result: Result) -> str:
    """How fast a generation went, in one line: prompt and answer, tokens per second."""
    computed = result.prompt_tokens - result.cached_tokens
    cached = (
        pick(f" (+{result.cached_tokens} known)", f"（另有 {result.cached_tokens} 已算过）")
        if result.cached_tokens
        else ""
    )
    return pick(
        f"prompt {computed} tokens{cached}, {result.prefill_rate:,.0f}/s"
        f" · answer {len(result.tokens)} tokens, {result.decode_rate:,.1f}/s",
        f"提示 {computed} 词元{cached}，{result.prefill_rate:,.0f}/秒"
        f" · 回答 {len(result.tokens)} 词元，{result.decode_rate:,.1f}/秒",
    )
