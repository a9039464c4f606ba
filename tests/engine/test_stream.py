"""Text as it comes: whole characters, stops, cancelling, threads, asyncio."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fakes import BOS, EOS, context_of, fake_model
from qingyu.engine.core import FairLock
from qingyu.errors import InvalidRequestError, QingyuError

ANSWER = "你好，world 🎉🏳️‍🌈 é!"


def test_characters_are_never_split() -> None:
    pieces = list(fake_model({"q": ANSWER}).generate("q"))
    assert "".join(pieces) == ANSWER
    assert pieces[:3] == ["你", "好", "，"]
    assert "\ufffd" not in "".join(pieces)
    assert "" not in pieces


def test_bytes_that_are_no_text_show_as_replacement() -> None:
    broken = [*b"a", 0xE4, 0xBD, EOS]

    def script(history: tuple[int, ...]) -> int:
        return broken[len(history) - 1]

    result = fake_model(script=script).generate("q").read()
    assert result.text == "a\ufffd"
    assert result.tokens == (97, 0xE4, 0xBD)
    assert result.stop_reason == "end"


def test_a_text_cut_in_mid_character_by_max_tokens() -> None:
    result = fake_model({"q": ANSWER}).generate("q", max_tokens=4).read()
    assert result.text == "你\ufffd"
    assert (result.stop_reason, result.limited_by) == ("length", "max_tokens")


def test_stop_strings_end_the_text_and_never_show() -> None:
    model = fake_model({"q": "one\ntwo\n\nthree"})
    stream = model.generate("q", stop=["\n\n", "zzz"])
    assert "".join(stream) == "one\ntwo"
    assert (stream.result.stop_reason, stream.result.stop) == ("stop", "\n\n")
    assert bytes(stream.result.tokens) == b"one\ntwo\n\n"
    result = model.generate("q", stop="thrice").read()
    assert result.text == "one\ntwo\n\nthree"
    assert (result.stop_reason, result.stop) == ("end", None)


def test_text_held_back_for_a_stop_is_released_at_the_end() -> None:
    model = fake_model({"q": "answer: us"})
    assert "".join(model.generate("q", stop="user")) == "answer: us"
    assert model.generate("q", stop="user", max_tokens=9).read().text == "answer: u"


def test_a_stop_in_chinese_across_tokens() -> None:
    result = fake_model({"q": "好的。用户：再见"}).generate("q", stop="用户").read()
    assert (result.text, result.stop) == ("好的。", "用户")


def test_a_replacement_character_may_complete_a_stop() -> None:
    """Held-back bytes become text only at the end; a stop in them still counts."""
    result = fake_model({"q": "ab你"}).generate("q", max_tokens=3, stop="b\ufffd").read()
    assert (result.text, result.stop_reason) == ("a", "stop")


def test_stop_tokens() -> None:
    result = fake_model({"q": "abc"}).generate("q", stop_tokens=[ord("c")]).read()
    assert (result.text, result.stop_reason, result.stop) == ("ab", "stop", ord("c"))
    assert result.tokens == (97, 98)


def test_special_tokens_are_not_text() -> None:
    def script(history: tuple[int, ...]) -> int:
        return [ord("a"), BOS, ord("b"), EOS][len(history) - 1]

    result = fake_model(script=script).generate("q").read()
    assert result.text == "ab"
    assert result.tokens == (97, BOS, 98)


def test_the_record_has_times_and_rates() -> None:
    stream = fake_model({"q": "abcd"}).generate("q")
    with pytest.raises(InvalidRequestError, match="still runs"):
        _ = stream.result
    result = stream.read()
    assert result is not None
    assert result.prompt_tokens == 1
    assert result.decode_tokens == 4  # b, c, d and the end
    assert result.prefill_rate > 0
    assert result.decode_rate == result.decode_tokens / result.decode_seconds
    assert result.seed is None


def test_nothing_is_computed_before_it_is_read() -> None:
    model = fake_model({"q": "abcd"})
    stream = model.generate("q")
    assert context_of(model).forwards == []
    next(stream)
    assert len(context_of(model).forwards) == 1


def test_closing_a_stream_cancels_and_keeps_what_there_is() -> None:
    model = fake_model({"q": "abcd"})
    with model.generate("q") as stream:
        assert next(stream) == "a"
    assert list(stream) == []
    assert stream.result.stop_reason == "cancelled"
    assert stream.result.text == "a"
    assert stream.read() == stream.result
    unread = model.generate("q")
    unread.close()
    assert unread.result.tokens == ()
    assert set(context_of(model).sequences) == set(model.core._prefixes._parked)


def test_ctrl_c_takes_effect_between_the_chunks_of_a_prompt() -> None:
    model = fake_model(chunk_tokens=16)
    context = context_of(model)

    def progress(done: int, total: int) -> None:
        if done >= 32:
            raise KeyboardInterrupt

    stream = model.generate([1] * 100, progress=progress)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert context.forwards == [16, 16]
    assert stream.result.stop_reason == "cancelled"
    # What was computed is not lost.
    assert model.generate([1] * 100, max_tokens=1).read().cached_tokens == 32


def test_a_dropped_stream_frees_its_sequence() -> None:
    model = fake_model({"q": "abcd"})
    stream = model.generate("q")
    next(stream)
    del stream
    gc.collect()
    with model.core:
        assert not context_of(model).sequences


def test_threads_take_turns_on_one_model() -> None:
    model = fake_model(kv_tokens=4096)
    wanted = [fake_model().generate([index], max_tokens=30).read().tokens for index in range(8)]
    results: dict[int, tuple[int, ...]] = {}

    def run(index: int) -> None:
        results[index] = model.generate([index], max_tokens=30).read().tokens

    threads = [threading.Thread(target=run, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [results[index] for index in range(8)] == wanted


def test_closing_from_another_thread_ends_the_reader() -> None:
    model = fake_model(script=lambda history: 65)
    stream = model.generate("q")
    first = threading.Event()
    pieces: list[str] = []

    def read() -> None:
        for piece in stream:
            pieces.append(piece)
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(30)
    stream.close()
    reader.join(30)
    assert not reader.is_alive()
    assert stream.result.stop_reason in ("cancelled", "length")


def test_closing_the_model_while_a_stream_is_read() -> None:
    model = fake_model({"q": "abcd"})
    stream = model.generate("q")
    next(stream)
    model.close()
    with pytest.raises(QingyuError, match="closed"):
        next(stream)
    assert stream.result.text == "a"


def test_the_lock_is_fair() -> None:
    """A thread that takes the lock again at once waits for those already there."""
    lock = FairLock()
    order: list[str] = []
    lock.acquire()

    def wait(name: str) -> None:
        lock.acquire()
        order.append(name)
        lock.release()

    threads = []
    for index, name in enumerate("abc"):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        while len(lock._waiting) <= index:
            pass
    lock.release()
    wait("again")
    for thread in threads:
        thread.join(30)
    assert order == ["a", "b", "c", "again"]


def asynchronously(test: Callable[[], Awaitable[Any]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(bounded())


def test_async_gives_the_same_text() -> None:
    async def run() -> None:
        model = fake_model({"q": ANSWER, "user: hi": "hello"})
        pieces = [piece async for piece in model.agenerate("q")]
        assert pieces == list(model.generate("q"))
        result = await model.agenerate("q", max_tokens=3).read()
        assert (result.text, result.limited_by) == ("你", "max_tokens")
        async with model.achat([{"role": "user", "content": "hi"}], max_tokens=5) as stream:
            await stream.read()
        assert stream.result.limited_by == "max_tokens"

    asynchronously(run)


def test_async_streams_run_side_by_side() -> None:
    async def run() -> None:
        model = fake_model(kv_tokens=4096)
        results = await asyncio.gather(
            *(model.agenerate([index], max_tokens=20).read() for index in range(8))
        )
        for index, result in enumerate(results):
            alone = fake_model().generate([index], max_tokens=20).read()
            assert result.tokens == alone.tokens

    asynchronously(run)


def test_cancelling_the_task_frees_the_sequence() -> None:
    async def run() -> None:
        model = fake_model(script=lambda history: 65, context=10_000, kv_tokens=20_000)
        gate = threading.Event()
        context_of(model).before_forward = lambda: gate.wait(30) and None
        stream = model.agenerate("q")

        async def read() -> None:
            async for _ in stream:
                pass

        task = asyncio.create_task(read())
        while stream._worker is None:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await stream.aclose()
        assert stream.result.stop_reason == "cancelled"
        assert set(context_of(model).sequences) == set(model.core._prefixes._parked)

    asynchronously(run)


def test_an_async_stream_does_not_run_far_ahead_of_its_reader() -> None:
    async def run() -> None:
        model = fake_model(script=lambda history: 65, context=10_000, kv_tokens=20_000)
        context = context_of(model)
        stream = model.agenerate("q")
        assert [await anext(stream) for _ in range(10)] == ["A"] * 10
        worker = stream._worker
        assert worker is not None
        while worker.queue.qsize() < 64:
            await asyncio.sleep(0)
        assert len(context.forwards) <= 10 + 64 + 1
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asynchronously(run)


def test_a_dropped_async_stream_ends_its_thread() -> None:
    async def run() -> None:
        model = fake_model(script=lambda history: 65, context=10_000, kv_tokens=20_000)
        stream = model.agenerate("q")
        await anext(stream)
        assert stream._worker is not None
        done = stream._worker.done
        del stream
        gc.collect()
        await done.wait()
        assert set(context_of(model).sequences) == set(model.core._prefixes._parked)

    asynchronously(run)


def test_async_errors_reach_the_reader() -> None:
    async def run() -> None:
        model = fake_model(context=64)
        with pytest.raises(QingyuError, match="64"):
            model.agenerate([1] * 64)
        stream = model.agenerate([1])
        model.close()
        with pytest.raises(QingyuError, match="closed"):
            await stream.read()
        unread = fake_model().agenerate("q")
        await unread.aclose()
        assert unread.result.stop_reason == "cancelled"

    asynchronously(run)
