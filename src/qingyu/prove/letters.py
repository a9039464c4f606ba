"""The four tokens that are compared, checked for a tokenizer and a prompt.

    ids = letter_tokens(tokenizer, prompt.text, prompt.continuations)     # four ids

A tokenizer may write "A" after "：" as another token than alone, join it with what is before,
or need two tokens; each has led to wrong published numbers (CMMLU issue 11, C-Eval issue 53).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qingyu.errors import UnsupportedModelError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer


def letter_tokens(
    tokenizer: Tokenizer, prompt: str, continuations: Sequence[str]
) -> tuple[int, ...]:
    """The token of each continuation after the prompt.

    Raises UnsupportedModelError unless each is one token, all are different, and the prompt's
    own tokens stay what they were.
    """
    alone = tokenizer.encode(prompt)
    found = []
    for text in continuations:
        joint = tokenizer.encode(prompt + text)
        if joint[:-1] != alone:
            added = [tokenizer.token_text(token) for token in joint[len(alone) - 1 :]]
            raise UnsupportedModelError(
                pick(
                    f"this model's tokenizer does not write {text!r} after the prompt as one token"
                    f" of its own ({added}); use --method generate",
                    f"此模型的分词器在提示之后不把 {text!r} 写成单独一个词元（{added}）；"
                    "请用 --method generate",
                )
            )
        found.append(joint[-1])
    if len(set(found)) != len(found):
        raise UnsupportedModelError(
            pick(
                f"this model's tokenizer gives two of {list(continuations)} one token;"
                " use --method generate",
                f"此模型的分词器把 {list(continuations)} 中的两个写成同一词元；"
                "请用 --method generate",
            )
        )
    return tuple(found)
