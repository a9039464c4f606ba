"""What a larger model thinks comes next, at every token of a micro-batch.

    with Teacher.open(TeacherConfig(model="default"), shards, sequence_length=512) as teacher:
        teaching = teacher.teach(batch)

Any model of the engine, in any of its types; it must have the student's tokenizer, for its
distribution is taken token by token. It reads each document by itself, as the student does. The
engine gives the same logits every time, so a run that resumes learns the same.

Shapes: N tokens of a micro-batch, K likeliest of the teacher.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from qingyu.errors import InvalidRequestError
from qingyu.make.text_tokenizer import load_tokenizer
from qingyu.make.training.checks import at_least, between
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model
    from qingyu.make.training.batches import MicroBatch
    from qingyu.make.training.head import Teaching


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """model: a name or .gguf file. top_k: its likeliest tokens that are learned one by one.
    share: of the loss that is the teacher's; the rest is the data's."""

    model: str
    top_k: int = 32
    share: float = 0.9

    def __post_init__(self) -> None:
        at_least("teacher.top_k", self.top_k, 1)
        between("teacher.share", self.share, 0.0, 1.0)


class Teacher:
    """A loaded teacher. `close` gives its memory back."""

    def __init__(self, model: Model, config: TeacherConfig, vocab_size: int) -> None:
        self.model = model
        self.config = config
        self.vocab_size = vocab_size

    @classmethod
    def open(
        cls,
        config: TeacherConfig,
        *,
        tokenizer: str,
        vocab_size: int,
        sequence_length: int,
        threads: int | None = None,
    ) -> Teacher:
        """tokenizer: the SHA-256 of the student's. Raises InvalidRequestError when the teacher
        has another, and what loading raises."""
        import qingyu

        own = load_tokenizer(config.model)
        if own.sha256 != tokenizer:
            raise InvalidRequestError(
                pick(
                    f"the teacher {config.model} has another tokenizer ({own.sha256[:12]}, the"
                    f" student has {tokenizer[:12]}); build the data with the teacher's:"
                    f" tokenizer = {config.model}",
                    f"教师模型 {config.model} 的分词器不同（{own.sha256[:12]}，学生为"
                    f" {tokenizer[:12]}）；请用教师模型的分词器生成数据",
                ),
                param="teacher.model",
            )
        model = qingyu.load(config.model, context=sequence_length, threads=threads)
        return cls(model, config, vocab_size)

    def teach(self, batch: MicroBatch) -> Teaching:
        """Its likeliest tokens at each place, with their log-probabilities."""
        import torch

        from qingyu.make.training.head import Teaching

        ids = batch.tokens.numpy()
        count = min(self.config.top_k, self.vocab_size)
        tokens = np.empty((len(ids), count), np.int64)
        log_probs = np.empty((len(ids), count), np.float32)
        for first, length in batch.pieces:
            place = first
            for rows in self.model.iterate_logits(ids[first : first + length].tolist()):
                here = slice(place, place + len(rows))
                # A vocabulary that was filled up for export has words that mean nothing.
                logits = torch.from_numpy(rows[:, : self.vocab_size])
                values, best = logits.topk(count, sorted=True)
                total = torch.logsumexp(logits, -1, keepdim=True)
                tokens[here], log_probs[here] = best.numpy(), (values - total).numpy()
                place += len(rows)
        return Teaching(
            tokens=torch.from_numpy(tokens),
            log_probs=torch.from_numpy(log_probs),
            share=self.config.share,
        )

    def close(self) -> None:
        self.model.close()

    def __enter__(self) -> Teacher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
