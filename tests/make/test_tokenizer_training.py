"""A tokenizer trained here: the same each time, and the same in the engine and the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden.texts import TEXTS
from qingyu.errors import DataError, InvalidRequestError
from qingyu.make.text_tokenizer import TextTokenizer, load_tokenizer
from qingyu.make.tokenizer_training import SPECIALS, Sample, bytes_per_token, train_tokenizer

STORIES = [
    "今天天气很好，我们去河边散步。河边的树都绿了，河里的水也满了，我们走了很久很久。",
    "The river is high today, and the trees along the river are green. We walked for a long time.",
    "一九八四年，2024年，第123号。 <|im_end|> 12 + 345 = 357",
] * 5


def trained(vocab_size: int = 320) -> TextTokenizer:
    return TextTokenizer(train_tokenizer(STORIES, vocab_size=vocab_size))


def test_what_it_consists_of() -> None:
    made = trained()
    assert made.vocab_size == 320
    assert made.parts.texts[:3] == SPECIALS
    assert (made.eos, made.bos) == (0, None)
    assert made.parts.pre == "qwen2"
    assert trained().sha256 == made.sha256
    assert trained(330).sha256 != made.sha256


def test_it_learns_and_expresses_everything() -> None:
    made = trained()
    for text in (*TEXTS, *STORIES):
        assert made.decode(made.encode(text)) == text
    assert len(made.encode(STORIES[0])) < len(STORIES[0].encode()) / 1.5
    # control tokens are no text, and digits stand alone
    assert not set(made.encode("<|im_end|><|endoftext|>")) & {0, 1, 2}
    assert len(made.encode("2024")) == 4
    tokens, loss = made.chat(
        [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "河边"}]
    )
    assert made.decode([t for t, on in zip(tokens, loss, strict=True) if on]) == "河边<|im_end|>"


def test_the_library_agrees(tmp_path: Path) -> None:
    from tokenizers import Tokenizer as Library

    made = trained()
    made.save(tmp_path)
    assert load_tokenizer(tmp_path).sha256 == made.sha256
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    library.encode_special_tokens = True
    for text in (*TEXTS, *STORIES):
        assert library.encode(text).ids == made.encode(text), text


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(InvalidRequestError, match="no room"):
        train_tokenizer(STORIES, vocab_size=259)
    with pytest.raises(DataError, match="bring more text"):
        train_tokenizer(STORIES, vocab_size=5000)


def test_the_sample_keeps_some_back() -> None:
    sample = Sample(max_bytes=1000, every=4)
    documents = [("zh" if n % 2 else "en", f"{n:010}") for n in range(400)]
    given = list(sample.training(documents))
    assert len(given) == sample.num_documents == 100
    assert sample.num_bytes == 1000
    assert {len(texts) for texts in sample.held_out.values()} <= {16, 17}
    assert not set(given) & {text for texts in sample.held_out.values() for text in texts}
    assert bytes_per_token(trained(), []) is None
    assert bytes_per_token(trained(), ["河边"]) == 6 / len(trained().encode("河边"))
