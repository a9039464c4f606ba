"""How likely a model finds texts: logits, log-probabilities of continuations, perplexity.

    score(core, tokenizer, "2 + 2 =", [" 4", " 5"], chunk_tokens=512)
    for rows in iterate_logits(core, tokens, vocab_size=V, chunk_tokens=512): ...

Nothing is sampled here, and nothing is parked. Memory is bounded: at most 64 MB of logits at
a time. Letters: N tokens, R rows of logits, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.core import Core
from qingyu.engine.results import Perplexity, Score
from qingyu.errors import ContextFullError, InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

LOGIT_BYTES = 64 << 20
# A token to compute: its sequence, its id, and the (continuation, target) it predicts if wanted.
_Work = tuple[int, int, tuple[int, int] | None]
# Continuations whose sequences exist at the same time.
MAX_FORKS = 64


def rows_per_forward(vocab_size: int, chunk_tokens: int) -> int:
    """Most rows of logits one forward may give."""
    return max(1, min(chunk_tokens, LOGIT_BYTES // (4 * vocab_size)))


def iterate_logits(
    core: Core,
    tokens: Sequence[int],
    *,
    vocab_size: int,
    chunk_tokens: int,
    skip: int = 0,
    adapter: str | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Logits after each of tokens [N] but the first `skip`, as float32 [R, V] pieces in order.

    Raises ContextFullError when the tokens are more than the context.
    """
    if len(tokens) > core.limit:
        raise ContextFullError(prompt=len(tokens), limit=core.limit, room=core.limit)
    array = np.asarray(tokens, dtype=np.int32)
    rows = rows_per_forward(vocab_size, chunk_tokens)
    with core:
        sequence = core.create(adapter)
    start = 0
    try:
        while start < len(array):
            # Without logits to hold, a forward may take a whole chunk.
            size = min(chunk_tokens, skip - start) if start < skip else rows
            part = array[start : start + size]
            outputs = np.arange(len(part) if start >= skip else 0, dtype=np.int32)
            start += len(part)
            with core:
                logits = core.forward(part, np.full(len(part), sequence, np.int32), outputs)
            if len(logits):
                yield logits
    finally:
        core.abandon(sequence)


def log_probs(logits: NDArray[np.float32], tokens: Sequence[int]) -> tuple[list[float], list[bool]]:
    """Natural-log probability of one token per row of logits [R, V], computed in float64, and
    whether it is the row's most likely token (the smaller id among equals)."""
    values, greedy = [], []
    for row, token in zip(logits, tokens, strict=True):
        wide = row.astype(np.float64)
        best = int(row.argmax())
        wide -= wide[best]
        own = float(wide[token])
        values.append(own - math.log(float(np.exp(wide, out=wide).sum())))
        greedy.append(best == token)
    return values, greedy


def score(
    core: Core,
    tokenizer: Tokenizer,
    prompt: str,
    continuations: Sequence[str],
    *,
    vocab_size: int,
    chunk_tokens: int,
    adapter: str | None = None,
) -> list[Score]:
    """Log-probability of each continuation after the prompt, which is computed once.

    Prompt and continuation are tokenized together, as in lm-evaluation-harness, so a token
    may span both: whatever follows the tokens that the joint text has in common with the
    prompt alone counts as continuation. Raises InvalidRequestError for an empty continuation.
    """
    if isinstance(continuations, str) or not all(continuations) or not continuations:
        raise InvalidRequestError(
            pick(
                "continuations must be a list of at least one text, none of them empty",
                "continuations 应为至少含一个文本的列表，且没有空文本",
            )
        )
    alone = tokenizer.encode(prompt)
    joint = [tokenizer.encode(prompt + text) for text in continuations]
    splits = [_common(alone, tokens) for tokens in joint]
    if min(splits) == 0:
        start = start_token(tokenizer)
        joint = [[start, *tokens] for tokens in joint]
        splits = [split + 1 for split in splits]
    for tokens in joint:
        # The last token's own logits are not needed, so it need not fit.
        if len(tokens) - 1 > core.limit:
            raise ContextFullError(prompt=len(tokens) - 1, limit=core.limit, room=core.limit)
    shared = min(splits)
    prefix = joint[0][:shared]
    with core:
        base, _ = core.open(prefix, adapter)
    try:
        first = _extend(core, base, prefix, chunk_tokens)
        scores: list[Score] = []
        for start in range(0, len(joint), MAX_FORKS):
            scores += _score_group(
                core,
                base,
                first,
                shared,
                list(zip(joint, splits, strict=True))[start : start + MAX_FORKS],
                chunk_tokens=chunk_tokens,
                max_rows=rows_per_forward(vocab_size, chunk_tokens),
            )
    except BaseException:
        core.abandon(base)
        raise
    with core:
        core.park(base, prefix)
    return scores


def _extend(core: Core, sequence: int, tokens: list[int], chunk: int) -> NDArray[np.float32]:
    """Compute what a sequence lacks of tokens; the logits [1, V] after the last."""
    with core:
        start = core.native.length(sequence)
    array = np.array(tokens, dtype=np.int32)
    while True:
        part = array[start : start + chunk]
        start += len(part)
        last = start == len(array)
        outputs = np.array([len(part) - 1] if last else [], dtype=np.int32)
        with core:
            logits = core.forward(part, np.full(len(part), sequence, dtype=np.int32), outputs)
        if last:
            return logits


def _score_group(
    core: Core,
    base: int,
    first: NDArray[np.float32],
    shared: int,
    group: list[tuple[list[int], int]],
    *,
    chunk_tokens: int,
    max_rows: int,
) -> list[Score]:
    """Scores of continuations (tokens, where they begin); `first` are the logits [1, V] after
    the `shared` tokens of `base`."""
    values: list[list[float]] = [[] for _ in group]
    greedy: list[list[bool]] = [[] for _ in group]
    forks: list[int] = []
    work: list[_Work] = []
    try:
        for index, (tokens, split) in enumerate(group):
            if split == shared:
                found, best = log_probs(first, [tokens[shared]])
                values[index] += found
                greedy[index] += best
            if len(tokens) - 1 == shared:
                continue
            with core:
                fork = core.fork(base, shared)
            forks.append(fork)
            for place in range(shared, len(tokens) - 1):
                wanted = (index, tokens[place + 1]) if place + 1 >= split else None
                work.append((fork, tokens[place], wanted))
        while work:
            part, work = _next_part(work, chunk_tokens, max_rows)
            outputs = [place for place, (_, _, wanted) in enumerate(part) if wanted]
            with core:
                logits = core.forward(
                    np.array([token for _, token, _ in part], dtype=np.int32),
                    np.array([sequence for sequence, _, _ in part], dtype=np.int32),
                    np.array(outputs, dtype=np.int32),
                )
            targets = [wanted for _, _, wanted in part if wanted]
            found, best = log_probs(logits, [token for _, token in targets])
            for (index, _), value, is_best in zip(targets, found, best, strict=True):
                values[index].append(value)
                greedy[index].append(is_best)
    finally:
        for fork in forks:
            core.abandon(fork)
    return [
        Score(
            tokens=tuple(tokens[split:]),
            token_log_probs=tuple(values[index]),
            log_prob=math.fsum(values[index]),
            is_greedy=all(greedy[index]),
        )
        for index, (tokens, split) in enumerate(group)
    ]


def _next_part(work: list[_Work], chunk: int, max_rows: int) -> tuple[list[_Work], list[_Work]]:
    """The work of the next forward, and what is left: bounded in tokens and in rows."""
    rows = 0
    for size, (_, _, wanted) in enumerate(work[:chunk]):
        rows += wanted is not None
        if rows > max_rows:
            return work[:size], work[size:]
    return work[:chunk], work[chunk:]


def perplexity(
    core: Core,
    tokenizer: Tokenizer,
    text: str | Sequence[int],
    *,
    window: int | None = None,
    stride: int | None = None,
    vocab_size: int,
    chunk_tokens: int,
    adapter: str | None = None,
) -> Perplexity:
    """How surprised the model is by a text, or by tokens taken as they are.

    A text that fits one window is computed at once. A longer one is cut into windows that
    start every `stride` tokens (half a window unless given), and each window scores what no
    earlier one did: every token is scored once, after at least window - stride others except
    in the first window. Each window begins with the model's BOS where it uses one. The very
    first token is scored only after a BOS.
    """
    begin = []
    if isinstance(text, str):
        tokens = tokenizer.encode(text, add_bos=False)
        begin = [tokenizer.bos_id] if tokenizer.add_bos and tokenizer.bos_id is not None else []
    else:
        tokens = list(text)
    window = core.limit if window is None else window
    room = window - len(begin)
    if not (room >= 2 and window <= core.limit):
        raise InvalidRequestError(
            pick(
                f"window is {window}; it must be 3 to {core.limit}, the context",
                f"window 为 {window}；应在 3 到上下文 {core.limit} 之间",
            )
        )
    stride = max(1, room // 2) if stride is None else stride
    if not 1 <= stride <= room:
        raise InvalidRequestError(
            pick(
                f"stride is {stride}; it must be 1 to {room}",
                f"stride 为 {stride}；应在 1 到 {room} 之间",
            )
        )
    if len(tokens) + len(begin) < 2:
        raise InvalidRequestError(
            pick(
                f"the text has {len(tokens)} tokens; perplexity needs one with another before it",
                f"文本有 {len(tokens)} 个词元；困惑度至少需要一个前面还有词元的词元",
            )
        )
    losses: list[float] = []
    num_windows = 0
    for inputs, skip in windows(tokens, begin, window=window, stride=stride):
        place = skip
        for rows in iterate_logits(
            core,
            inputs[:-1],
            vocab_size=vocab_size,
            chunk_tokens=chunk_tokens,
            skip=skip,
            adapter=adapter,
        ):
            values, _ = log_probs(rows, inputs[place + 1 : place + 1 + len(rows)])
            losses += values
            place += len(rows)
        num_windows += 1
    mean = -math.fsum(losses) / len(losses)
    size = len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0
    return Perplexity(
        perplexity=math.exp(mean) if mean < 700 else math.inf,
        mean_loss=mean,
        bits_per_byte=mean * len(losses) / math.log(2) / size if size else None,
        num_scored=len(losses),
        num_windows=num_windows,
        window=window if num_windows > 1 else len(tokens) + len(begin),
        stride=stride if num_windows > 1 else len(tokens) + len(begin),
    )


def windows(
    tokens: list[int], begin: list[int], *, window: int, stride: int
) -> Iterator[tuple[list[int], int]]:
    """The windows of a text as `perplexity` has them: the tokens of each, and how many rows of
    logits at its beginning are not for it to score (row i predicts token i + 1)."""
    room = window - len(begin)
    scored = 0 if begin else 1
    start = 0
    while True:
        inputs = [*begin, *tokens[start : start + room]]
        yield inputs, len(begin) + scored - start - 1
        scored = start + len(inputs) - len(begin)
        if scored == len(tokens):
            return
        start += stride


def start_token(tokenizer: Tokenizer) -> int:
    """The token that stands for nothing before it: BOS, else an end-of-text token.

    Raises InvalidRequestError when the model has neither.
    """
    if tokenizer.bos_id is not None:
        return tokenizer.bos_id
    if tokenizer.eos_ids:
        return min(tokenizer.eos_ids)
    raise InvalidRequestError(
        pick(
            "the prompt is empty, and this model has no token to begin with; give some text",
            "提示为空，而此模型没有起始词元；请给出文本",
        )
    )


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning, at most all but the last of `second`."""
    length = 0
    for one, other in zip(first, second[:-1], strict=False):
        if one != other:
            break
        length += 1
    return length
