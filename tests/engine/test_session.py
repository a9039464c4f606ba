"""Several generations in one batch, over a core whose logits depend on every token."""

import dataclasses
import gc
from typing import Any

import numpy as np
import pytest

from fakes import EOS, TURN, VOCAB_SIZE, FakeModel, context_of, fake_model
from qingyu.engine.session import Session
from qingyu.errors import ContextFullError, InvalidRequestError, OutOfMemoryError, QingyuError

NATIVE = FakeModel()


def greedy(prompt: list[int], count: int, ends: tuple[int, ...] = (EOS, TURN)) -> list[int]:
    """The reference: one token after the other, no cache of any kind."""
    history = list(prompt)
    for _ in range(count):
        token = int(NATIVE.logits(tuple(history)).argmax())
        if token in ends:
            break
        history.append(token)
    return history[len(prompt) :]


def finish(session: Session) -> None:
    while session.step():
        pass


def prompts(count: int, seed: int = 0) -> list[list[int]]:
    random = np.random.Generator(np.random.PCG64(seed))
    return [random.integers(0, 256, random.integers(1, 60)).tolist() for _ in range(count)]


def test_a_batch_gives_what_each_would_give_alone() -> None:
    model = fake_model(kv_tokens=4096)
    wanted = [greedy(prompt, 20) for prompt in prompts(16)]
    with model.session() as session:
        batch = [session.add(prompt, max_tokens=20) for prompt in prompts(16)]
        finish(session)
    assert [list(one.result.tokens) for one in batch] == wanted
    with model.session() as session:
        reverse = [session.add(prompt, max_tokens=20) for prompt in reversed(prompts(16))]
        finish(session)
    assert [list(one.result.tokens) for one in reversed(reverse)] == wanted
    assert any(one.result.cached_tokens for one in reverse)


@pytest.mark.parametrize("fields", [{"top_k": 10}, {"top_p": 0.9}, {}, {"presence_penalty": 1.0}])
def test_seeded_sampling_does_not_depend_on_company(fields: dict[str, Any]) -> None:
    alone = []
    for index, prompt in enumerate(prompts(6)):
        model = fake_model()
        stream = model.generate(prompt, max_tokens=15, temperature=1.0, seed=index, **fields)
        alone.append(stream.read().tokens)
    with fake_model(kv_tokens=4096).session() as session:
        batch = [
            session.add(prompt, max_tokens=15, temperature=1.0, seed=index, **fields)
            for index, prompt in enumerate(prompts(6))
        ]
        finish(session)
    assert [one.result.tokens for one in batch] == alone


def test_joining_late_changes_nothing() -> None:
    with fake_model(kv_tokens=4096).session() as session:
        one, two, three = prompts(3, seed=4)
        first = session.add(one, max_tokens=12)
        for _ in range(5):
            session.step()
        second = session.add(two, max_tokens=12)
        session.step()
        third = session.add(three, max_tokens=3)
        finish(session)
    assert list(first.result.tokens) == greedy(one, 12)
    assert list(second.result.tokens) == greedy(two, 12)
    assert list(third.result.tokens) == greedy(three, 3)


def test_prompts_are_computed_in_chunks_beside_decoding() -> None:
    model = fake_model(chunk_tokens=40)
    context = context_of(model)
    done: list[tuple[int, int]] = []
    with model.session() as session:
        session.add([1, 2, 3], max_tokens=50)
        session.step()
        session.add(list(range(100)), max_tokens=2, progress=lambda *pair: done.append(pair))
        for _ in range(3):
            stepped = session.step()
            assert len(stepped) == 2
    assert context.forwards == [3, 40, 40, 23]
    assert done == [(39, 100), (78, 100), (100, 100)]


def test_prompts_get_room_even_beside_a_full_batch_of_decodes() -> None:
    model = fake_model(chunk_tokens=4, kv_tokens=4096)
    with model.session() as session:
        for prompt in prompts(8):
            session.add(prompt, max_tokens=40)
        finish(session)
    assert max(context_of(model).forwards) <= 8 + 4


def test_a_second_prompt_takes_what_the_first_computed() -> None:
    model = fake_model()
    context = context_of(model)
    prompt = list(range(50))
    cold = model.generate(prompt, max_tokens=10).read()
    assert cold.cached_tokens == 0
    warm = model.generate(prompt, max_tokens=10).read()
    assert warm.cached_tokens == 49  # the last is computed again for its logits
    assert warm.tokens == cold.tokens == tuple(greedy(prompt, 10))
    longer = [*prompt, *cold.tokens[:-1], 7, 8]
    context.forwards.clear()
    result = model.generate(longer, max_tokens=5).read()
    assert result.stop_reason == "length"
    assert result.cached_tokens == 50 + len(cold.tokens) - 1
    assert context.forwards[0] == 2
    assert list(result.tokens) == greedy(longer, 5)
    # The last token of an answer was chosen, but never computed.
    whole = [*longer, *result.tokens, 5]
    again = model.generate(whole, max_tokens=5).read()
    assert again.cached_tokens == len(longer) + len(result.tokens) - 1
    assert list(again.tokens) == greedy(whole, 5)
    shorter = [*prompt[:21], 99]
    result = model.generate(shorter, max_tokens=5).read()
    assert result.cached_tokens == 21
    assert list(result.tokens) == greedy(shorter, 5)


def test_parked_sequences_make_room_when_pages_are_short() -> None:
    model = fake_model(context=64, kv_tokens=64)
    for round_ in range(3):
        for index in range(6):
            prompt = [index] * 20 + [round_]
            result = model.generate(prompt, max_tokens=20).read()
            assert list(result.tokens) == greedy(prompt, 20)


def test_a_whole_context_fits_even_when_all_pages_are_parked() -> None:
    model = fake_model(context=64, kv_tokens=64)
    model.generate([9] * 40, max_tokens=23).read()
    prompt = [9] * 40 + [1] * 20
    result = model.generate(prompt).read()
    assert result.limited_by == "context"
    assert list(result.tokens) == greedy(prompt, 4)


def test_a_fork_without_a_page_for_its_copy_shares_whole_pages() -> None:
    model = fake_model(context=64, kv_tokens=64)
    model.generate([9] * 40, max_tokens=24).read()
    assert context_of(model).pages_free == 0
    with model.core as core:
        sequence, cached = core.open([9] * 35 + [1])
        assert cached == 32
        core.drop(sequence)


def test_when_pages_are_short_the_newest_waits_and_loses_nothing() -> None:
    model = fake_model(context=64, kv_tokens=64)
    with model.session() as session:
        one = session.add([1] * 30, max_tokens=30)
        two = session.add([2] * 30, max_tokens=30, temperature=1.0, seed=5)
        finish(session)
    assert list(one.result.tokens) == greedy([1] * 30, 30)
    alone = fake_model(context=64, kv_tokens=64)
    wanted = alone.generate([2] * 30, max_tokens=30, temperature=1.0, seed=5).read()
    assert two.result.tokens == wanted.tokens


def test_a_prompt_there_are_no_pages_for_waits_without_being_computed() -> None:
    model = fake_model(context=64, kv_tokens=64)
    with model.session() as session:
        one = session.add([1] * 40, max_tokens=4)
        two = session.add([2] * 30, max_tokens=4)
        finish(session)
    assert list(one.result.tokens) == greedy([1] * 40, 4)
    assert list(two.result.tokens) == greedy([2] * 30, 4)
    # Each prompt once, and what was generated.
    assert sum(context_of(model).forwards) <= 40 + 30 + 2 * 4


def test_pages_too_short_for_one_alone_raise_and_change_nothing() -> None:
    model = fake_model(context=64, kv_tokens=64)
    with model.session() as other, model.session() as session:
        other.add([3] * 30, max_tokens=30)
        for _ in range(4):
            other.step()
        one = session.add([1] * 30, max_tokens=30)
        with pytest.raises(OutOfMemoryError, match="64"):
            finish(session)
        assert not one.finished
        other.close()
        finish(session)
    assert list(one.result.tokens) == greedy([1] * 30, 30)


def test_a_prefix_being_computed_is_waited_for_and_shared() -> None:
    model = fake_model(context=512, kv_tokens=4096, chunk_tokens=16)
    shared = [7] * 100
    with model.session() as session:
        one = session.add([*shared, 1, 2], max_tokens=5)
        session.step()
        others = [session.add([*shared, 3, count], max_tokens=5) for count in range(4)]
        finish(session)
    assert [other.result.cached_tokens for other in others] == [100, 101, 101, 101]
    # 102 of the first, then what the others do not share, then what is generated.
    assert sum(context_of(model).forwards) <= 102 + 4 * 2 + 5 * 5
    for count, other in enumerate(others):
        assert list(other.result.tokens) == greedy([*shared, 3, count], 5)
    assert list(one.result.tokens) == greedy([*shared, 1, 2], 5)


def test_of_equal_prefixes_the_computed_one_is_shared() -> None:
    """The newest is still being computed; waiting for it would be waiting for every newcomer."""
    model = fake_model(context=512, kv_tokens=4096, chunk_tokens=16)
    with model.session() as session:
        done = session.add([*[7] * 100, 1], max_tokens=100)
        while not done.tokens:
            session.step()
        begun = session.add([*[7] * 100, 2], max_tokens=100)
        session.step()
        begun.computed = 16
        third = session.prepare([*[7] * 100, 3])
        assert session._shared(third) == (done, 100)


def test_one_slow_forward_does_not_make_prompts_slow_for_good() -> None:
    model = fake_model(
        context=2048, kv_tokens=8192, chunk_tokens=256, script=lambda history: len(history) % 200
    )
    with model.session() as session:
        session.add([1, 2, 3], max_tokens=500)
        session.step()
        session._prompt_rate = 100.0  # as after a pause of the whole machine
        long = session.add(list(range(1, 201)) * 5, max_tokens=1)
        while not long.finished:
            session.step()
    assert max(context_of(model).forwards) > 100


def test_a_short_prompt_does_not_wait_for_a_long_one() -> None:
    model = fake_model(context=2048, kv_tokens=8192, chunk_tokens=32)
    with model.session() as session:
        long = session.add(list(range(1, 201)) * 5, max_tokens=2)
        session.step()
        short = session.add([5] * 20, max_tokens=2)
        steps = 0
        while not short.finished:
            session.step()
            steps += 1
        assert steps <= 4
        assert not long.finished
        finish(session)
    assert list(long.result.tokens) == greedy(list(range(1, 201)) * 5, 2)


def repeats(history: tuple[int, ...]) -> int:
    """A text that goes round: what prompt lookup is for."""
    return 10 + (history[-1] + 1) % 7


@pytest.mark.parametrize("fields", [{}, {"temperature": 1.0, "seed": 3}])
def test_guessing_ahead_changes_nothing_and_saves_forwards(fields: dict[str, Any]) -> None:
    results = []
    for speculate in (False, True):
        model = fake_model(context=512, kv_tokens=4096, script=repeats)
        with model.session() as session:
            # So that guessing pays: a forward of ten tokens takes as long as one of one.
            session._costs.observe(1, 1.0)
            session._costs.observe(16, 1.0)
            session._costs.observe = lambda size, seconds: None  # type: ignore[method-assign]
            one = session.add([10, 11, 12], max_tokens=150, speculate=speculate, **fields)
            finish(session)
            results.append(one.result)
            assert (session.confirmed_tokens > 50) == speculate
    plain, guessed = results
    assert guessed.tokens == plain.tokens
    assert len(plain.tokens) == 150
    assert plain.forward_passes == 150
    assert guessed.forward_passes < 75


def test_wrong_guesses_change_nothing() -> None:
    options: dict[str, Any] = {"context": 512, "kv_tokens": 4096, "page_tokens": 4}
    options["script"] = lambda history: (history[-1] * 31 + len(history)) % 250
    wanted = fake_model(**options).generate([10, 11, 12], max_tokens=60, speculate=False).read()
    model = fake_model(**options)
    with model.session() as session:
        one = session.add([10, 11, 12], max_tokens=60)
        while not one.finished:
            session.step()
            if one.guesser is not None:
                # Guesses from nowhere, taken on trust.
                one.guesser.guess = lambda history, most: [history[-1], 1, 2][:most]  # type: ignore[method-assign]
                one.guesser.chance = 1.0
            session._costs.__init__()  # type: ignore[misc]
            session._costs.observe(1, 1.0)
            session._costs.observe(16, 1.0)
        assert session.guessed_tokens > 50
    assert one.result.tokens == wanted.tokens
    with model.core as core:
        core._prefixes.clear()
    assert context_of(model).pages_free == context_of(model).pages_total


@pytest.mark.parametrize("fields", [{}, {"temperature": 1.0, "seed": 3}])
def test_a_draft_model_changes_nothing_and_saves_forwards(fields: dict[str, Any]) -> None:
    plain = fake_model(context=512, kv_tokens=4096, script=repeats)
    wanted = plain.generate([10, 11, 12], max_tokens=100, speculate=False, **fields).read()
    model = fake_model(context=512, kv_tokens=4096, script=repeats)
    draft = fake_model(context=512, kv_tokens=4096, script=repeats)
    with model.session(draft=draft) as session:
        one = session.add([10, 11, 12], max_tokens=100, **fields)
        while not one.finished:
            session.step()
            session._costs.__init__()  # type: ignore[misc]
            session._costs.observe(1, 1.0)
            session._costs.observe(16, 1.0)
    assert one.result.tokens == wanted.tokens
    assert one.result.forward_passes < 30
    assert sum(context_of(draft).forwards) > 60


def test_a_draft_model_of_another_vocabulary_is_refused() -> None:
    draft = fake_model()
    draft.info = dataclasses.replace(draft.info, vocab_size=7)
    with pytest.raises(InvalidRequestError, match="vocabularies differ"):
        fake_model().session(draft=draft)


def test_log_probabilities_are_those_of_the_logits() -> None:
    model = fake_model()
    result = model.generate([1, 2, 3], max_tokens=6, logprobs=3).read()
    assert result.logprobs is not None
    assert [info.token for info in result.logprobs] == list(result.tokens)
    history = [1, 2, 3]
    for info in result.logprobs:
        logits = FakeModel().logits(tuple(history)).astype(np.float64)
        expected = logits - np.log(np.exp(logits).sum())
        order = np.argsort(-expected)[:3]
        assert [entry[0] for entry in info.top] == order.tolist()
        assert info.logprob == pytest.approx(expected[info.token], abs=1e-5)
        assert [entry[2] for entry in info.top] == pytest.approx(expected[order], abs=1e-5)
        history.append(info.token)


def test_an_interrupt_in_the_middle_of_a_step_loses_nothing() -> None:
    model = fake_model(kv_tokens=4096)
    context = context_of(model)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with model.session() as session:
        batch = [session.add(prompt, max_tokens=12) for prompt in prompts(5)]
        steps = 0
        while True:
            hook = "after_forward" if steps % 3 == 1 else "before_forward"
            if steps % 3:
                setattr(context, hook, interrupt)
            try:
                stepped = session.step()
            except KeyboardInterrupt:
                stepped = [batch[0]]
            setattr(context, hook, None)
            steps += 1
            if not stepped:
                break
    wanted = [greedy(prompt, 12) for prompt in prompts(5)]
    assert [list(one.result.tokens) for one in batch] == wanted


def test_everything_is_freed_in_the_end() -> None:
    model = fake_model(kv_tokens=4096)
    context = context_of(model)
    session = model.session()
    for prompt in prompts(5):
        session.add(prompt, max_tokens=30)
    session.step()
    session.step()
    session.close()
    assert set(context.sequences) == set(model.core._prefixes._parked)
    del session
    gc.collect()
    with model.core as core:
        while core.evict():
            pass
    assert context.pages_free == context.pages_total


def test_a_session_that_is_dropped_frees_its_sequences() -> None:
    model = fake_model()
    context = context_of(model)
    session = model.session()
    session.add([1] * 30, max_tokens=30)
    session.step()
    assert len(context.sequences) == 1
    del session
    gc.collect()
    with model.core:
        assert not context.sequences
    assert context.pages_free == context.pages_total


def test_what_goes_wrong_for_one_ends_only_that_one() -> None:
    with fake_model().session() as session:
        banned = session.add([1, 2], logit_bias=dict.fromkeys(range(VOCAB_SIZE), -np.inf))
        fine = session.add([1, 2], max_tokens=8)
        finish(session)
    with pytest.raises(InvalidRequestError, match="bans every token"):
        _ = banned.result
    assert list(fine.result.tokens) == greedy([1, 2], 8)


def test_a_prompt_that_does_not_fit_names_the_numbers() -> None:
    model = fake_model(context=64)
    with pytest.raises(ContextFullError) as caught:
        model.generate([1] * 64)
    assert (caught.value.prompt, caught.value.limit, caught.value.room) == (64, 64, 63)
    assert "64" in str(caught.value)
    result = model.generate([1] * 63).read()
    assert len(result.tokens) == 1
    assert (result.stop_reason, result.limited_by) == ("length", "context")


def test_the_context_limits_max_tokens_and_says_so() -> None:
    model = fake_model(context=64)
    for asked in (None, 55):
        result = model.generate([1] * 10, max_tokens=asked, logit_bias={EOS: -50, TURN: -50}).read()
        assert len(result.tokens) == 54
        assert result.limited_by == "context"
    result = model.generate([1] * 10, max_tokens=54, logit_bias={EOS: -50, TURN: -50}).read()
    assert len(result.tokens) == 54
    assert result.limited_by == "max_tokens"


@pytest.mark.parametrize("tokens", [[], [VOCAB_SIZE], [-1], [1.5], [[1]], "ab"])
def test_prompts_that_are_no_tokens(tokens: Any) -> None:
    with pytest.raises(InvalidRequestError), fake_model().session() as session:
        session.add(tokens)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "5"])
def test_max_tokens_is_checked(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="max_tokens"):
        fake_model().generate("a", max_tokens=value)


@pytest.mark.parametrize("value", [[VOCAB_SIZE], [-1], ["a"]])
def test_stop_tokens_are_checked(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="stop_tokens"):
        fake_model().generate("a", stop_tokens=value)


def test_unknown_keywords_are_errors() -> None:
    with pytest.raises(TypeError, match="temprature"):
        fake_model().generate("a", temprature=1.0)


def test_closing_the_model_ends_its_sessions_clearly() -> None:
    model = fake_model()
    session = model.session()
    generation = session.add([1, 2, 3], max_tokens=50)
    session.step()
    model.close()
    model.close()
    with pytest.raises(QingyuError, match="closed"):
        session.step()
    session.close()
    assert generation.result.stop_reason == "cancelled"
    with pytest.raises(QingyuError, match="closed"):
        model.logits("abc")
