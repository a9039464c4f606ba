"""Train a tokenizer: byte-level byte-pair encoding for Chinese and English.

    parts = train_tokenizer(texts, vocab_size=12288)
    TextTokenizer(parts).save(Path("tokenizer"))
    bytes_per_token(tokenizer, texts)

Text is cut as Qwen's models do it ("qwen2"): digits one by one, a run of Chinese characters whole,
so that merging alone decides what a word is. Engine and llama.cpp know that way by its name. The
same texts in the same order give the same tokenizer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qingyu.errors import DataError, InvalidRequestError
from qingyu.make.tokenizer_files import TokenizerParts, library_pretokenizer
from qingyu.models.named_templates import NAMED_TEMPLATES
from qingyu.models.pretokenizers import PRETOKENIZERS
from qingyu.models.tokenizer import BYTE_CHARACTERS
from qingyu.models.vocabulary import CONTROL, NORMAL
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.text_tokenizer import TextTokenizer

PRETOKENIZER = "qwen2"
END, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIALS = (END, TURN_START, TURN_END)
_LEAST = len(SPECIALS) + 256
# In byte characters: eight Chinese ones. Longer tokens are phrases of this text, not words.
_LONGEST_TOKEN = 24


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> TokenizerParts:
    """Special tokens first, then the bytes, then merges in the order of their frequency.

    Raises InvalidRequestError for a vocabulary that is too small, DataError when the texts do not
    have enough different pieces for it.
    """
    if vocab_size <= _LEAST:
        raise InvalidRequestError(
            pick(
                f"a vocabulary of {vocab_size} has no room beside {_LEAST} bytes and specials",
                f"词表大小 {vocab_size} 容不下 {_LEAST} 个字节和特殊词元",
            ),
            param="vocab_size",
        )
    from tokenizers import Tokenizer, models, trainers

    library = Tokenizer(models.BPE())
    library.pre_tokenizer = library_pretokenizer(PRETOKENIZERS[PRETOKENIZER])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIALS),
        initial_alphabet=list(BYTE_CHARACTERS),
        max_token_length=_LONGEST_TOKEN,
        show_progress=False,
    )
    library.train_from_iterator(_without_specials(texts), trainer)
    return _parts(library, vocab_size)


def _without_specials(texts: Iterable[str]) -> Iterator[str]:
    """What is written about control tokens must not become one while training."""
    for text in texts:
        for name in SPECIALS:
            if name in text:
                text = text.replace(name, " ".join(name))
        yield text


def _parts(library: Any, vocab_size: int) -> TokenizerParts:
    model = json.loads(library.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    if len(vocabulary) < vocab_size:
        raise DataError(
            pick(
                f"the text has pieces for a vocabulary of {len(vocabulary)}, not of {vocab_size};"
                " bring more text or ask for a smaller vocabulary",
                f"文本只够 {len(vocabulary)} 的词表，不足 {vocab_size}；请增加文本或减小词表",
            )
        )
    texts = sorted(vocabulary, key=lambda text: vocabulary[text])
    merges = [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    return TokenizerParts(
        texts=tuple(texts),
        kinds=tuple(CONTROL if text in SPECIALS else NORMAL for text in texts),
        merges=tuple(merges),
        pre=PRETOKENIZER,
        bos=None,
        eos=vocabulary[END],
        add_bos=False,
        template=NAMED_TEMPLATES["chatml"],
    )


@dataclass
class Sample:
    """Texts for training, and every so many-th kept back to measure with, by language.

    for text in sample.training(documents): ...        # then sample.held_out["zh"]
    """

    max_bytes: int
    every: int = 50
    held_out: dict[str, list[str]] = field(default_factory=lambda: {"zh": [], "en": []})
    num_bytes: int = 0
    num_documents: int = 0

    def training(self, documents: Iterable[tuple[str, str]]) -> Iterator[str]:
        """documents: (language, text). Ends when `max_bytes` of text were given."""
        seen: Counter[str] = Counter()
        for language, text in documents:
            seen[language] += 1
            if seen[language] % self.every == self.every // 2 and language in self.held_out:
                self.held_out[language].append(text)
                continue
            self.num_bytes += len(text.encode())
            self.num_documents += 1
            yield text
            if self.num_bytes >= self.max_bytes:
                return


def bytes_per_token(tokenizer: TextTokenizer, texts: Iterable[str]) -> float | None:
    """UTF-8 bytes of the texts by their tokens; None without text."""
    size = tokens = 0
    for text in texts:
        size += len(text.encode())
        tokens += len(tokenizer.encode(text))
    return size / tokens if tokens else None
