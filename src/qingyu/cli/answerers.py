"""Who answers `qingyu eval`: the engine, an endpoint, or a cluster; and what asking would cost.

with opened(exam, Choice(model="default", activations=16, ...)) as answerer: ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from qingyu.cli import common
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.prove.endpoint import EndpointAnswerer
    from qingyu.prove.exam import Answerer, Exam

Prices = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The flags of `qingyu eval` that say who answers, and how."""

    model: str
    activations: int
    context: int | None
    threads: int | None
    max_tokens: int
    endpoint: str | None
    concurrency: int
    rate: float | None
    ray: str | None
    workers: int

    def __post_init__(self) -> None:
        if self.endpoint is not None and self.ray is not None:
            raise typer.BadParameter(
                pick("--endpoint and --ray exclude each other", "--endpoint 与 --ray 不能同时使用")
            )


@contextmanager
def opened(exam: Exam, choice: Choice) -> Iterator[Answerer]:
    """Whoever was chosen, ready to be asked."""
    if choice.endpoint is not None:
        from qingyu.prove.endpoint import EndpointAnswerer

        yield EndpointAnswerer(
            url=choice.endpoint,
            model=choice.model,
            max_tokens=choice.max_tokens,
            concurrency=choice.concurrency,
            rate=choice.rate,
        )
    elif choice.ray is not None:
        from qingyu.prove.cluster import RayAnswerer

        with RayAnswerer(
            address=choice.ray,
            model=choice.model,
            method=exam.method,
            workers=choice.workers,
            threads=choice.threads,
            activation_bits=choice.activations,
            context=choice.context,
            max_tokens=choice.max_tokens,
        ) as answerer:
            yield answerer
    else:
        with common.open_model(
            choice.model,
            context=choice.context,
            threads=choice.threads,
            activation_bits=choice.activations,
        ) as model:
            if exam.method == "logits":
                from qingyu.prove.choices import ChoiceAnswerer

                yield ChoiceAnswerer(model)
            else:
                from qingyu.prove.writing import WritingAnswerer

                yield WritingAnswerer(model, max_tokens=choice.max_tokens)


def parse_prices(text: str | None) -> Prices | None:
    """--price: money for a million tokens read, and written."""
    if text is None:
        return None
    try:
        read, written = (float(part) for part in text.split(","))
        sound = read >= 0 and written >= 0
    except ValueError:
        sound = False
    if not sound:
        raise InvalidRequestError(
            pick(
                f"--price is {text!r}; it must be two numbers such as 0.5,1.5",
                f"--price 为 {text!r}；应为两个数，如 0.5,1.5",
            )
        )
    return read, written


def confirm(
    exam: Exam, answerer: EndpointAnswerer, folder: Path, *, prices: Prices | None, yes: bool
) -> None:
    """Say what asking will take, and have a person agree. Raises Abort when they do not."""
    from qingyu.prove.evaluation import unanswered

    wanted = unanswered(exam, answerer, folder)
    if not wanted:
        return
    price_in, price_out = prices or (None, None)
    estimate = answerer.estimate(exam, wanted, price_in=price_in, price_out=price_out)
    english = [
        f"{estimate.requests:,} requests",
        f"about {estimate.prompt_tokens:,} tokens read",
        f"at most {estimate.completion_tokens:,} written",
    ]
    chinese = [
        f"{estimate.requests:,} 次请求",
        f"约读入 {estimate.prompt_tokens:,} 词元",
        f"至多写出 {estimate.completion_tokens:,} 词元",
    ]
    if estimate.seconds is not None:
        english.append(f"{estimate.seconds / 60:,.0f} minutes at this rate")
        chinese.append(f"按此速率需 {estimate.seconds / 60:,.0f} 分钟")
    if estimate.money is not None:
        english.append(f"at most {estimate.money:,.2f} by the prices given")
        chinese.append(f"按所给价格至多 {estimate.money:,.2f}")
    common.notice(pick(", ".join(english), "，".join(chinese)))
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidRequestError(
            pick(
                "nobody is here to agree to that; give --yes to go on without asking",
                "没有人可以确认；请加 --yes 直接继续",
            )
        )
    typer.confirm(pick("Ask?", "开始提问？"), abort=True, err=True)
