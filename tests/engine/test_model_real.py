"""Promise 2 on the default model: the same input gives the same tokens, to the bit.

20 prompts, 128 tokens each: one and two threads; alone, in a batch of 16, in another order;
cold and warm; before and after save and restore; greedy and with a seed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.engine.loading import load
from qingyu.engine.model import Model

pytestmark = pytest.mark.model

NEW_TOKENS = 128
BATCH = 16
STORY = (
    "The lighthouse keeper wrote in his book every evening: the wind, the ships, the light. "
    "他每天晚上都在本子上写下风向、船只和灯光。One night the light went out, and nobody knew why. "
)
PROMPTS = [
    "Once upon a time",
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "Gravity is",
    "今天天气很好，",
    "人工智能是",
    "Q: What is 12 * 12?\nA:",
    "1, 1, 2, 3, 5, 8,",
    "Dear Sir or Madam,\n\n",
    "The three primary colours are",
    "在很久很久以前，",
    "<html>\n<body>\n",
    "To make a cup of tea, first",
    "🎉 Party planning list:\n-",
    "SELECT name FROM users WHERE",
    "The mitochondria is the",
    "Translate to Chinese: Good morning.\n",
    "A",
    STORY * 6,
    STORY * 12 + "In the morning",
]

Tokens = list[tuple[int, ...]]


@pytest.fixture(scope="module")
def load_default(default_model_path: Path) -> Iterator[Callable[[int], Model]]:
    """The default model with a number of threads; each is loaded once."""
    models: dict[int, Model] = {}

    def get(threads: int) -> Model:
        if threads not in models:
            models[threads] = load(default_model_path, threads=threads, kv_tokens=16384)
        return models[threads]

    yield get
    for model in models.values():
        model.close()


def cold(model: Model) -> Model:
    """The model with nothing parked."""
    with model.core as core:
        while core.evict():
            pass
    return model


def options(sampled: bool, index: int) -> dict[str, Any]:
    if not sampled:
        return {"max_tokens": NEW_TOKENS}
    filters = [{}, {"top_k": 40, "top_p": 0.95}, {"top_p": 0.9}, {"min_p": 0.05}][index % 4]
    return {
        "max_tokens": NEW_TOKENS,
        "temperature": 0.9,
        "seed": index,
        "repetition_penalty": 1.1 if index % 3 == 0 else 1.0,
        **filters,
    }


def alone(model: Model, sampled: bool = False) -> Tokens:
    return [
        model.generate(prompt, **options(sampled, index)).read().tokens
        for index, prompt in enumerate(PROMPTS)
    ]


def batched(model: Model, sampled: bool = False, *, reverse: bool = False) -> Tokens:
    """Through one session, 16 at a time: as one ends, the next one joins."""
    order = list(range(len(PROMPTS)))
    if reverse:
        order.reverse()
    generations: dict[int, Any] = {}
    with model.session() as session:
        while order or session.generations:
            while order and len(session.generations) < BATCH:
                index = order.pop(0)
                tokens = model.tokenize(PROMPTS[index])
                generations[index] = session.add(tokens, **options(sampled, index))
            session.step()
    return [generations[index].result.tokens for index in range(len(PROMPTS))]


@pytest.fixture(scope="module")
def greedy(load_default: Callable[[int], Model]) -> Tokens:
    """One after the other, one thread, nothing parked at first."""
    return alone(cold(load_default(1)))


@pytest.fixture(scope="module")
def sampled(load_default: Callable[[int], Model]) -> Tokens:
    return alone(cold(load_default(1)), sampled=True)


def test_greedy_with_two_threads(load_default: Callable[[int], Model], greedy: Tokens) -> None:
    assert alone(cold(load_default(2))) == greedy
    assert sum(map(len, greedy)) > 1000
    assert len(set(greedy)) == len(greedy)


def test_greedy_with_a_warm_prefix(load_default: Callable[[int], Model], greedy: Tokens) -> None:
    model = load_default(1)
    for prompt, wanted in zip(PROMPTS[-4:], greedy[-4:], strict=True):
        assert model.generate(prompt, max_tokens=NEW_TOKENS).read().tokens == wanted
        again = model.generate(prompt, max_tokens=NEW_TOKENS).read()
        assert again.cached_tokens == again.prompt_tokens - 1
        assert again.tokens == wanted
        # From the middle of the answer on: a prefix that decoding made, not a prompt.
        half = len(wanted) // 2
        tokens = [*model.tokenize(prompt), *wanted[:half]]
        rest = model.generate(tokens, max_tokens=NEW_TOKENS - half).read()
        assert rest.cached_tokens == len(tokens) - 1
        assert rest.tokens == wanted[half:]


def test_greedy_in_a_batch(load_default: Callable[[int], Model], greedy: Tokens) -> None:
    assert batched(cold(load_default(2))) == greedy


def test_greedy_in_a_batch_in_another_order(
    load_default: Callable[[int], Model], greedy: Tokens
) -> None:
    assert batched(cold(load_default(1)), reverse=True) == greedy


def test_greedy_after_save_and_restore(
    load_default: Callable[[int], Model], greedy: Tokens, tmp_path: Path
) -> None:
    for index, wanted in enumerate(greedy):
        half = len(wanted) // 2
        model = load_default(1)
        tokens = [*model.tokenize(PROMPTS[index]), *wanted[:half]]
        model.save_state(tmp_path / "state", tokens)
        cold(model).load_state(tmp_path / "state")
        rest = model.generate(tokens, max_tokens=NEW_TOKENS - half).read()
        assert rest.cached_tokens == len(tokens) - 1
        assert rest.tokens == wanted[half:]


def test_sampled_in_a_batch_with_two_threads(
    load_default: Callable[[int], Model], sampled: Tokens
) -> None:
    assert batched(cold(load_default(2)), sampled=True, reverse=True) == sampled
    assert len(set(sampled)) == len(sampled)


def test_sampled_with_a_warm_prefix(load_default: Callable[[int], Model], sampled: Tokens) -> None:
    """What greedy runs left parked changes nothing either."""
    model = load_default(1)
    for index in range(0, len(PROMPTS), 5):
        result = model.generate(PROMPTS[index], **options(True, index)).read()
        assert result.tokens == sampled[index]


def test_sampled_after_save_and_restore(
    load_default: Callable[[int], Model], sampled: Tokens, tmp_path: Path
) -> None:
    model = load_default(1)
    for index in range(0, len(PROMPTS), 5):
        tokens = model.tokenize(PROMPTS[index])
        model.save_state(tmp_path / "state", tokens)
        cold(model).load_state(tmp_path / "state")
        result = model.generate(tokens, **options(True, index)).read()
        assert result.cached_tokens == len(tokens) - 1
        assert result.tokens == sampled[index]


def test_scores_are_the_logits_of_the_whole(load_default: Callable[[int], Model]) -> None:
    model = load_default(2)
    prompt, continuations = "The capital of France is", [" Paris", " London, of course"]
    for text, found in zip(continuations, model.score(prompt, continuations), strict=True):
        tokens = model.tokenize(prompt + text)
        rows = model.logits(tokens).astype(np.float64)
        first = len(tokens) - len(found.tokens)
        for place, token in enumerate(found.tokens):
            row = rows[first + place - 1]
            wanted = row[token] - row.max() - np.log(np.exp(row - row.max()).sum())
            assert found.token_log_probs[place] == pytest.approx(wanted, abs=1e-9)
    assert model.score(prompt, [" Paris"])[0].is_greedy


def test_perplexity_is_that_of_the_text_in_windows(load_default: Callable[[int], Model]) -> None:
    model = load_default(2)
    text = STORY * 3
    whole = model.perplexity(text)
    windows = model.perplexity(text, window=64, stride=16)
    assert whole.num_scored == windows.num_scored == len(model.tokenize(text)) - 1
    assert 1 < whole.perplexity < windows.perplexity


def test_chat_answers(load_default: Callable[[int], Model]) -> None:
    model = load_default(2)
    messages = [{"role": "user", "content": "Write one sentence about the sea."}]
    result = model.chat(messages, max_tokens=60).read()
    assert result.text.strip()
    assert result.stop_reason in ("end", "length")
