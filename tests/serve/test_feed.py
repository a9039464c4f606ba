"""A job as asyncio sees it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from fakes import fake_model
from qingyu.engine.scheduler import Scheduler
from qingyu.errors import ContextFullError
from qingyu.serve.feed import Feed


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(fake_model({"Hi": " there, how are you?"}, context=512, kv_tokens=8192))
    yield scheduler
    scheduler.close()


def test_updates_are_the_text_and_the_last_says_so(scheduler: Scheduler) -> None:
    async def read() -> tuple[list[Any], Any]:
        async with Feed(scheduler, [72, 105]) as feed:
            updates = [update async for update in feed]
        return updates, feed.job.generation.result

    updates, result = asyncio.run(read())
    assert "".join(update.text for update in updates) == result.text == " there, how are you?"
    assert [update.finished for update in updates] == [False] * (len(updates) - 1) + [True]


@pytest.fixture
def endless() -> Iterator[Scheduler]:
    scheduler = Scheduler(fake_model(script=lambda history: 65, context=20000, kv_tokens=40000))
    yield scheduler
    scheduler.close()


def test_leaving_early_cancels(endless: Scheduler) -> None:
    async def read() -> Feed:
        async with Feed(endless, [1, 2]) as feed:
            async for _ in feed:
                break
        for _ in range(1000):
            if feed.job.finished:
                break
            await asyncio.sleep(0.01)
        return feed

    feed = asyncio.run(read())
    assert feed.job.generation.result.stop_reason == "cancelled"


def test_cancelling_the_reader_cancels_the_job(endless: Scheduler) -> None:
    async def run() -> Feed:
        feed = Feed(endless, [1, 2])

        async def read() -> None:
            async with feed:
                await feed.wait()

        reader = asyncio.create_task(read())
        while not (feed.entered and feed.job.generation.tokens):
            await asyncio.sleep(0.001)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        for _ in range(1000):
            if feed.job.finished:
                break
            await asyncio.sleep(0.01)
        return feed

    assert asyncio.run(run()).job.generation.result.stop_reason == "cancelled"


def test_errors_of_submitting_come_at_once(scheduler: Scheduler) -> None:
    async def submit() -> None:
        async with Feed(scheduler, [1] * 600):
            raise AssertionError("it was taken")

    with pytest.raises(ContextFullError):
        asyncio.run(submit())
