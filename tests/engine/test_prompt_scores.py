"""Log-probabilities of prompts, computed beside everything else a session does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qingyu
from fakes import context_of, fake_model
from qingyu.engine.generation import Generation
from qingyu.engine.session import Session
from qingyu.errors import ContextFullError, InvalidRequestError

PROMPT = list(b"The quick brown fox jumps over the lazy dog, and then it sleeps. ")


def finish(session: Session) -> None:
    while session.step():
        pass


def scores(generation: Generation) -> list[tuple[int, float, list[int]]]:
    infos = generation.result.prompt_logprobs
    assert infos is not None
    return [(one.token, one.logprob, [token for token, _, _ in one.top]) for one in infos]


def expected(model: Any, prompt: list[int], count: int) -> list[tuple[int, float, list[int]]]:
    """From all logits at once, the slow way."""
    found = []
    for row, token in zip(model.logits(prompt).astype(np.float64), prompt[1:], strict=False):
        row -= np.log(np.exp(row).sum())
        best = np.argsort(-row, kind="stable")[:count]
        found.append((token, pytest.approx(row[token], abs=1e-5), best.tolist()))
    return found


@pytest.mark.parametrize("max_tokens", [0, 1, 5])
@pytest.mark.parametrize("size", [1, 2, 8, 17, len(PROMPT)])
def test_they_are_those_of_the_logits(max_tokens: int, size: int) -> None:
    model, prompt = fake_model(), PROMPT[:size]
    with model.session() as session:
        one = session.add(prompt, max_tokens=max_tokens, prompt_logprobs=3, logprobs=3)
        plain = session.add(prompt, max_tokens=max_tokens or 1)
        finish(session)
    assert scores(one) == expected(fake_model(), prompt, 3)
    assert one.result.stop_reason == "length"
    assert one.result.tokens == plain.result.tokens[:max_tokens]
    assert one.result.prompt_tokens == size


def test_a_common_beginning_is_computed_once() -> None:
    shared = PROMPT[:48]
    prompts = [shared + list(f" ending {n}".encode()) for n in range(5)]
    expect = [expected(fake_model(), prompt, 2) for prompt in prompts]
    model = fake_model(context=128, kv_tokens=2048)
    computed = context_of(model).forwards
    with model.session() as session:
        together = [session.add(one, max_tokens=0, prompt_logprobs=2) for one in prompts]
        finish(session)
        assert [scores(one) for one in together] == expect
        assert sum(computed) < 48 + 5 * 16
        assert all(one.result.cached_tokens >= 47 for one in together[1:])
        before = sum(computed)
        later = session.add(prompts[3], max_tokens=0, prompt_logprobs=2)
        finish(session)
        assert scores(later) == expect[3]
        assert sum(computed) - before <= 2
        # With another number of alternatives nothing is known.
        other = session.add(prompts[3], max_tokens=0, prompt_logprobs=1)
        finish(session)
        assert scores(other) == expected(fake_model(), prompts[3], 1)


def test_a_prefix_that_was_only_computed_is_computed_again() -> None:
    model = fake_model()
    with model.session() as session:
        session.add(PROMPT, max_tokens=1)
        finish(session)
        one = session.add(PROMPT, max_tokens=1, prompt_logprobs=0)
        finish(session)
    assert one.result.cached_tokens == 0
    assert scores(one) == expected(fake_model(), PROMPT, 0)


def test_company_and_short_pages_change_nothing() -> None:
    chance = random.Random(5)
    prompts = [[*PROMPT[: chance.randrange(2, 60)], chance.randrange(200)] for _ in range(30)]
    for kv_tokens in (160, 4096):
        model = fake_model(context=128, kv_tokens=kv_tokens)
        with model.session() as session:
            every = []
            for number, prompt in enumerate(prompts):
                wanted = {} if number % 3 == 0 else {"prompt_logprobs": number % 3}
                every.append(session.add(prompt, max_tokens=4, **wanted))
                session.step()
            finish(session)
        for number, (prompt, one) in enumerate(zip(prompts, every, strict=True)):
            if number % 3:
                assert scores(one) == expected(fake_model(), prompt, number % 3)
            assert one.tokens == fake_model().generate(prompt, max_tokens=4).read().tokens


def test_an_interrupt_loses_nothing() -> None:
    model = fake_model()
    context = context_of(model)
    with model.session() as session:
        one = session.add(PROMPT, max_tokens=1, prompt_logprobs=1)

        def interrupt() -> None:
            context.after_forward = None
            raise KeyboardInterrupt

        session.step()
        context.after_forward = interrupt
        with pytest.raises(KeyboardInterrupt):
            session.step()
        finish(session)
    assert scores(one) == expected(fake_model(), PROMPT, 1)


def test_beside_those_who_decode_a_step_scores_only_some() -> None:
    model = fake_model(script=lambda history: 65, context=1024, kv_tokens=4096, chunk_tokens=512)
    computed = context_of(model).forwards
    with model.session() as session:
        session.add([1], max_tokens=200)
        session.step()
        before = len(computed)
        one = session.add([65] * 600, max_tokens=0, prompt_logprobs=0)
        while not one.finished:
            session.step()
        assert max(computed[before:]) <= 65


def test_the_end_token_has_its_log_probability_beside_a_prompts() -> None:
    model = fake_model({"ab": "c"})
    with model.session() as session:
        one = session.add(list(b"abc"), max_tokens=1, prompt_logprobs=1, logprobs=1)
        finish(session)
    assert one.result.tokens == ()
    (info,) = one.result.logprobs or ()
    assert info.token in model.tokenizer.eos_ids


def test_limits() -> None:
    model = fake_model(context=64)
    with model.session() as session:
        one = session.add(PROMPT[:64], max_tokens=0, prompt_logprobs=0)
        finish(session)
        assert len(scores(one)) == 63
        with pytest.raises(ContextFullError):
            session.add(PROMPT[:65], max_tokens=0, prompt_logprobs=0)
        with pytest.raises(ContextFullError):
            session.add(PROMPT[:64], max_tokens=1, prompt_logprobs=0)
        for options in ({"max_tokens": 0}, {"prompt_logprobs": 21}, {"prompt_logprobs": True}):
            with pytest.raises(InvalidRequestError):
                session.add(PROMPT[:9], **options)


@pytest.mark.model
def test_a_real_model_agrees_with_its_scores(default_model_path: Path) -> None:
    with qingyu.load(default_model_path, context=1024) as model:
        prompt, ends = "The capital of France is", [" Paris", " a large city in Rome"]
        scored = model.score(prompt, ends)
        with model.session() as session:
            every = [
                session.add(model.prompt_tokens(prompt + end), max_tokens=0, prompt_logprobs=1)
                for end in ends
            ]
            finish(session)
    for one, score in zip(every, scored, strict=True):
        infos = (one.result.prompt_logprobs or ())[-len(score.tokens) :]
        assert [info.token for info in infos] == list(score.tokens)
        assert [info.logprob for info in infos] == pytest.approx(score.token_log_probs, abs=1e-5)
        greedy = all(info.logprob == info.top[0][2] for info in infos)
        assert greedy == score.is_greedy


def test_how_likely_the_end_was() -> None:
    model = fake_model()
    first = model.generate(PROMPT, max_tokens=1).read().tokens[0]
    row = model.logits(PROMPT)[-1].astype(np.float64)
    asked: dict[str, Any] = {"max_tokens": 3, "stop_tokens": [first]}
    ended = model.generate(PROMPT, logprobs=0, **asked).read()
    assert (ended.stop, ended.logprobs) == (first, ())
    assert ended.end_logprob == pytest.approx(row[first] - np.log(np.exp(row).sum()), abs=1e-5)
    assert model.generate(PROMPT, **asked).read().end_logprob == 0
    assert model.generate(PROMPT, max_tokens=1, logprobs=0).read().end_logprob == 0
