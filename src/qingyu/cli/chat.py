"""`qingyu chat`: a conversation in the terminal.

    qingyu chat --model qwen3-0.6b --system "Answer briefly."
    printf 'Hello\n/stats\n' | qingyu chat

Answers go to stdout, all else to stderr. From a pipe every line is a message.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu.cli import common, flags, layout
from qingyu.errors import ContextFullError, QingyuError
from qingyu.text import language, pick

if TYPE_CHECKING:
    from qingyu.cli.conversation import Conversation
    from qingyu.cli.lines import LineReader


def register(app: typer.Typer) -> None:
    app.command(
        "chat",
        short_help=pick("Talk with a model", "与模型对话"),
        help=pick(
            "Talk with a model in the terminal. /help lists what can be done meanwhile; Ctrl-C"
            " stops an answer, Ctrl-D leaves. Input may be piped: every line is a message.",
            "在终端中与模型对话。/help 列出可用命令；Ctrl-C 停止回答，Ctrl-D 退出。"
            "也可由管道输入，每行一条消息。",
        ),
    )(chat)


def chat(
    model: Annotated[str, flags.model()] = "default",
    system: Annotated[
        str | None,
        typer.Option(metavar="TEXT", show_default=False, help=pick("system message", "系统消息")),
    ] = None,
    private: Annotated[
        bool,
        typer.Option("--private", help=pick("keep no history of what is typed", "不保留输入历史")),
    ] = False,
    max_tokens: Annotated[
        int | None, flags.max_tokens(pick("until the context is full", "直到上下文用完"))
    ] = None,
    temperature: Annotated[float, flags.temperature()] = 0.7,
    top_k: Annotated[int, flags.top_k()] = 0,
    top_p: Annotated[float, flags.top_p()] = 0.9,
    min_p: Annotated[float, flags.min_p()] = 0.05,
    repetition_penalty: Annotated[float, flags.repetition_penalty()] = 1.05,
    presence_penalty: Annotated[float, flags.presence_penalty()] = 0.0,
    frequency_penalty: Annotated[float, flags.frequency_penalty()] = 0.0,
    seed: Annotated[int | None, flags.seed()] = None,
    context: Annotated[int | None, flags.context()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    template: Annotated[str | None, flags.template()] = None,
    adapter: Annotated[list[str] | None, flags.adapter()] = None,
    use_adapter: Annotated[str | None, flags.use_adapter()] = None,
) -> None:
    from qingyu.cli.chat_commands import Commands, describe
    from qingyu.cli.conversation import Conversation
    from qingyu.cli.lines import LineReader
    from qingyu.engine.model import Model
    from qingyu.engine.sampling import Sampling
    from qingyu.models.store import ModelStore

    adapters = common.read_adapters(adapter)
    chosen = common.chosen_adapter(adapters, use_adapter)

    def open_model(reference: str) -> Model:
        return common.open_model(
            reference,
            context=context,
            threads=threads,
            template=template,
            # They are for this model, and for no other that /model may bring.
            adapters=adapters if reference == model else None,
        )

    sampling = Sampling(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        presence_penalty=presence_penalty,
        frequency_penalty=frequency_penalty,
        seed=seed,
    )
    conversation = Conversation(
        open_model(model),
        sampling=sampling,
        system=system,
        max_tokens=max_tokens,
        adapter=chosen,
    )
    home = ModelStore().home
    commands = Commands(conversation, open_model=open_model, folder=home / "chats")
    reader = LineReader(history=None if private else home / "history")
    try:
        if reader.interactive:
            greet(model, describe(conversation.model, conversation.adapter))
        while (line := next_line(reader)) is not None:
            try:
                if line.startswith("/"):
                    if not commands.run(line):
                        break
                elif line.strip():
                    show_answer(conversation, line)
            except ContextFullError as error:
                common.complain(str(error), hint=full_hint())
            except QingyuError as error:
                common.complain(str(error))
    finally:
        reader.close()
        conversation.model.close()


def next_line(reader: LineReader) -> str | None:
    """The next message; Ctrl-C at the prompt only gives the line up."""
    while True:
        try:
            line = reader.read()
        except KeyboardInterrupt:
            print(file=sys.stderr)
            common.notice(pick("Ctrl-D or /quit leaves", "退出请按 Ctrl-D 或输入 /quit"))
            continue
        if line is None and reader.interactive:
            print()
        return line


def show_answer(conversation: Conversation, message: str) -> None:
    """Stream one answer to stdout, and a quiet line about it to stderr."""
    reading = Progress()
    write, flush = writer()
    answer = conversation.answer(message, progress=reading.show)
    try:
        for piece in answer:
            reading.clear()
            write(piece)
    except KeyboardInterrupt:
        answer.close()
        flush()
        common.notice(pick("(stopped)", "（已停止）"))
        return
    finally:
        reading.clear()
    flush()
    result = conversation.last
    assert result is not None
    common.notice(common.speed(result))
    if result.limited_by == "max_tokens":
        common.notice(
            pick(
                f"the answer was ended after {conversation.max_tokens} tokens, as --max-tokens"
                " says",
                f"按 --max-tokens，回答在 {conversation.max_tokens} 个词元后结束",
            )
        )
    if result.limited_by == "context":
        common.notice(
            pick(
                f"the answer stopped because the context of {conversation.model.info.context:,}"
                f" tokens is full; {full_hint()}",
                f"上下文 {conversation.model.info.context:,} 个词元已满，回答到此为止；"
                f"{full_hint()}",
            )
        )


def writer() -> tuple[Callable[[str], None], Callable[[], None]]:
    """How to write a piece of an answer to stdout, and how to end it.

    On a terminal lines break between words and control characters are not let through;
    elsewhere the text is written as it is.
    """
    if not sys.stdout.isatty():
        return common.stream_out, print
    flow = layout.Flow(shutil.get_terminal_size().columns)

    def write(piece: str) -> None:
        common.stream_out(flow.push(common.printable(piece)))

    def end() -> None:
        print(flow.rest(), flush=True)

    return write, end


def full_hint() -> str:
    """What to do when a conversation no longer fits."""
    return pick(
        "nothing was dropped: /save keeps the conversation, /reset begins anew,"
        " qingyu chat --context N makes more room",
        "没有丢弃任何内容：/save 保存对话，/reset 重新开始，qingyu chat --context N 可加大上下文",
    )


def greet(reference: str, description: str) -> None:
    """The first lines of a conversation in a terminal."""
    from qingyu.models.catalog import catalog, find
    from qingyu.serve import seal

    common.notice(description)
    common.notice(seal.status().summary)
    common.notice(
        pick(
            "/help lists commands, Ctrl-C stops an answer, Ctrl-D leaves",
            "/help 列出命令，Ctrl-C 停止回答，Ctrl-D 退出",
        )
    )
    entry = find(reference)
    if entry is not None and language() not in entry.languages:
        better = next(other.name for other in catalog() if language() in other.languages)
        common.notice(
            pick(
                f"{entry.title} does not speak English; for that: qingyu pull {better}",
                f"{entry.title} 以英语为主，中文很弱；中文对话请用：qingyu pull {better}",
            )
        )


class Progress:
    """How much of a long prompt is read, on a terminal, until the first word comes."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, done: int, total: int) -> None:
        if done < total and sys.stderr.isatty():
            self._shown = True
            text = pick(
                f"reading {done:,} of {total:,} tokens", f"正在读取 {done:,}/{total:,} 词元"
            )
            print(f"\r{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            self._shown = False
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
