"""`qingyu tokenize`: a text as the model sees it.

    qingyu tokenize "你好 world"
    qingyu tokenize --json - < file.txt

Reads the tokenizer out of the model file; loads no weights.
"""

from __future__ import annotations

from typing import Annotated

import typer

from qingyu.cli import common, flags, layout
from qingyu.cli.generate import read_text
from qingyu.text import pick


def register(app: typer.Typer) -> None:
    app.command(
        "tokenize",
        short_help=pick("A text as tokens", "把文本变成词元"),
        help=pick(
            "Show a text's tokens: number, id, and the piece of text each stands for.",
            "显示文本的词元：序号、编号，以及各自代表的文字。",
        ),
    )(tokenize)


def tokenize(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            show_default=False,
            help=pick(
                "the text; without it, or as -, stdin is read", "文本；省略或写 - 则读标准输入"
            ),
        ),
    ] = None,
    model: Annotated[str, flags.model()] = "default",
    special: Annotated[
        bool,
        typer.Option(
            "--special",
            help=pick(
                "take <|im_end|> and the like in the text for special tokens",
                "把文本中的 <|im_end|> 之类当作特殊词元",
            ),
        ),
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    given = read_text(text, pick("a text", "文本"))
    from qingyu.models.gguf import GGUFFile
    from qingyu.models.store import locate
    from qingyu.models.tokenizer import Tokenizer

    with GGUFFile.open(locate(model)) as gguf:
        tokenizer = Tokenizer.from_gguf(gguf)
    ids = tokenizer.encode(given, special=special)
    pieces = [
        (tokenizer.token_text(token) if tokenizer.is_special(token) else None)
        or tokenizer.token_bytes(token).decode("utf-8", "backslashreplace")
        for token in ids
    ]
    if as_json:
        common.print_json({"count": len(ids), "ids": ids, "pieces": pieces})
        return
    rows = [
        (str(position), str(token), visible(piece))
        for position, (token, piece) in enumerate(zip(ids, pieces, strict=True))
    ]
    if rows:
        print("\n".join(layout.table(rows, right=frozenset({0, 1}))))
    common.notice(
        pick(
            f"{len(ids)} tokens, {len(given)} characters, {len(given.encode())} bytes",
            f"{len(ids)} 个词元，{len(given)} 个字符，{len(given.encode())} 字节",
        )
    )


def visible(piece: str) -> str:
    """A piece in which spaces, line breaks and control characters can be seen."""
    piece = piece.replace(" ", "␣").replace("\n", "↵").replace("\t", "→")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in piece
    )
