"""`qingyu generate`: one text continued, or one question answered, then the program ends.

    qingyu generate "Once upon a time" --max-tokens 60
    echo "What is the capital of France?" | qingyu generate --chat --json

The prompt is continued as it stands; with --chat it is a question put to the model through its
chat template. Text streams to stdout, everything else goes to stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.results import Result


def register(app: typer.Typer) -> None:
    app.command(
        "generate",
        short_help=pick("Continue a text, or answer one question", "续写文本，或回答一个问题"),
        help=pick(
            "Continue a text, or with --chat answer one question. The prompt comes from the"
            " argument or from stdin. Without --temperature the likeliest token is always taken,"
            " so the same prompt gives the same text.",
            "续写一段文本；加 --chat 则回答一个问题。提示来自参数或标准输入。"
            "不给 --temperature 时总取最可能的词元，因此相同的提示得到相同的文本。",
        ),
    )(generate)


def generate(
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            show_default=False,
            help=pick(
                "the text; without it, or as -, stdin is read", "文本；省略或写 - 则读标准输入"
            ),
        ),
    ] = None,
    model: Annotated[str, flags.model()] = "default",
    chat: Annotated[
        bool,
        typer.Option(
            "--chat/--raw",
            help=pick(
                "ask through the chat template / continue as it is", "套用对话模板 / 原样续写"
            ),
        ),
    ] = False,
    system: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            show_default=False,
            help=pick("system message, with --chat", "系统消息，与 --chat 合用"),
        ),
    ] = None,
    max_tokens: Annotated[int, flags.max_tokens()] = 256,
    stop: Annotated[list[str] | None, flags.stop()] = None,
    schema: Annotated[Path | None, flags.schema()] = None,
    regex: Annotated[str | None, flags.regex()] = None,
    lark: Annotated[Path | None, flags.lark()] = None,
    choice: Annotated[list[str] | None, flags.choice()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help=pick("say how fast it went", "显示速度"))
    ] = False,
    temperature: Annotated[float | None, flags.temperature(pick("greedy", "贪心"))] = None,
    top_k: Annotated[int, flags.top_k()] = 0,
    top_p: Annotated[float, flags.top_p()] = 1.0,
    min_p: Annotated[float, flags.min_p()] = 0.0,
    repetition_penalty: Annotated[float, flags.repetition_penalty()] = 1.0,
    presence_penalty: Annotated[float, flags.presence_penalty()] = 0.0,
    frequency_penalty: Annotated[float, flags.frequency_penalty()] = 0.0,
    seed: Annotated[int | None, flags.seed()] = None,
    context: Annotated[int | None, flags.context()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    template: Annotated[str | None, flags.template()] = None,
    adapter: Annotated[list[str] | None, flags.adapter()] = None,
    use_adapter: Annotated[str | None, flags.use_adapter()] = None,
) -> None:
    for name, value in (("--system", system), ("--template", template)):
        if value is not None and not chat:
            raise typer.BadParameter(
                pick(f"{name} has no effect without --chat", f"没有 --chat 时 {name} 不起作用")
            )
    adapters = common.read_adapters(adapter)
    chosen = common.chosen_adapter(adapters, use_adapter)
    text = read_text(prompt, pick("a prompt", "提示"))
    form = read_form(schema=schema, regex=regex, lark=lark, choice=choice)
    from qingyu.engine.sampling import Sampling

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
    with common.open_model(
        model, context=context, threads=threads, template=template, adapters=adapters
    ) as loaded:
        settings: dict[str, Any] = {
            "max_tokens": max_tokens,
            "sampling": sampling,
            "stop": tuple(stop or ()),
            **form,
        }
        if chosen is not None:
            settings["adapter"] = chosen
        if chat:
            messages = [{"role": "user", "content": text}]
            if system is not None:
                messages.insert(0, {"role": "system", "content": system})
            stream = loaded.chat(messages, **settings)
        else:
            stream = loaded.generate(text, **settings)
        with stream:
            for piece in stream:
                if not as_json:
                    common.stream_out(common.printable(piece) if sys.stdout.isatty() else piece)
            result = stream.result
        if as_json:
            common.print_json(record(loaded.info.name, result, adapter=chosen))
        else:
            print(flush=True)
        if stats:
            common.notice(common.speed(result))
    if result.constraint_complete is False:
        common.complain(
            pick(
                f"the answer was cut after {len(result.tokens)} tokens, before it was complete;"
                " raise --max-tokens",
                f"回答在 {len(result.tokens)} 个词元处被截断，尚不完整；请增大 --max-tokens",
            )
        )
        raise typer.Exit(1)


def read_form(
    *, schema: Path | None, regex: str | None, lark: Path | None, choice: list[str] | None
) -> dict[str, Any]:
    """What the answer has to follow, as the engine's option; files are read before anything
    else is done."""
    given = {"schema": schema, "regex": regex, "lark": lark, "choices": choice or None}
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) > 1:
        flags = pick(" and ", " 与 ").join(f"--{name.removesuffix('s')}" for name in named)
        raise typer.BadParameter(pick(f"{flags} exclude each other", f"{flags} 不能同时使用"))
    for name, value in named.items():
        if isinstance(value, Path):
            try:
                named[name] = value.read_text("utf-8")
            except (OSError, ValueError) as error:
                raise typer.BadParameter(
                    pick(f"{value} cannot be read: {error}", f"无法读取 {value}：{error}")
                ) from None
    return named


def read_text(argument: str | None, what: str) -> str:
    """The argument, else all of stdin without its last line break.

    Raises BadParameter when stdin is a terminal: nobody would know what is waited for.
    """
    if argument is not None and argument != "-":
        return argument
    if argument is None and sys.stdin.isatty():
        raise typer.BadParameter(
            pick(
                f"{what} is missing: give it as an argument, or pipe it in",
                f"缺少{what}：请作为参数给出，或由管道输入",
            )
        )
    return sys.stdin.read().removesuffix("\n")


def record(model: str, result: Result, *, adapter: str | None = None) -> dict[str, Any]:
    """A generation as --json prints it. Seconds, tokens, tokens per second."""
    return {
        "model": model,
        "adapter": adapter,
        "text": result.text,
        "tokens": list(result.tokens),
        "stop_reason": result.stop_reason,
        "stop": result.stop,
        "limited_by": result.limited_by,
        "constraint_complete": result.constraint_complete,
        "seed": result.seed,
        "prompt_tokens": result.prompt_tokens,
        "cached_tokens": result.cached_tokens,
        "new_tokens": len(result.tokens),
        "timings": {
            "prefill_seconds": result.prefill_seconds,
            "decode_seconds": result.decode_seconds,
            "prefill_tokens_per_second": result.prefill_rate,
            "decode_tokens_per_second": result.decode_rate,
        },
    }
