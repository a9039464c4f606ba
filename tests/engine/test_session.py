"""Several generations in one batch, over a core whose logits depend on every token."""

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


def test_short_pages_raise_and_leave_everything_as_it_was() -> None:
    model = fake_model(context=64, kv_tokens=64)
    with model.session() as session:
        one = session.add([1] * 30, max_tokens=30)
        two = session.add([2] * 30, max_tokens=30)
        with pytest.raises(OutOfMemoryError, match="64"):
            finish(session)
        assert not one.finished
        session.cancel(two)
        finish(session)
    assert list(one.result.tokens) == greedy([1] * 30, 30)
    assert two.result.stop_reason == "cancelled"
    assert list(two.result.tokens) == greedy([2] * 30, len(two.tokens))


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
