"""A scheduler's job as an asyncio event loop sees it.

    async with Feed(scheduler, tokens, user="alice", max_tokens=100) as feed:
        async for update in feed:
            send(update.text)
    feed.result

The first update comes at once; later ones are gathered for some milliseconds, because a person
cannot read faster and every event costs the model time. It knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from qingyu.engine.request import Options
from qingyu.engine.results import Result
from qingyu.engine.scheduler import Job, Scheduler, Update

# At most so many updates a second: one per picture of a screen.
GATHER_SECONDS = 1 / 60
# Checking and copying so many tokens takes the event loop's time noticeably.
_MANY_TOKENS = 4096


class Feed:
    """Updates of one job. Entering submits it, and raises what `Scheduler.submit` raises;
    leaving cancels it if it still runs."""

    def __init__(
        self,
        scheduler: Scheduler,
        tokens: Sequence[int],
        *,
        user: str = "",
        deadline: float | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._scheduler = scheduler
        self._tokens = tokens
        self._user = user
        self._deadline = deadline
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        # True while a wake-up is on its way: one is enough until the reader has looked.
        self._told = False
        # True when nobody looks before the end.
        self._only_end = False
        self._job: Job | None = None

    @property
    def entered(self) -> bool:
        return self._job is not None

    @property
    def job(self) -> Job:
        assert self._job is not None, "not entered"
        return self._job

    @property
    def result(self) -> Result:
        """After the last update. Raises the error that ended the job, if one did."""
        return self.job.generation.result

    async def __aenter__(self) -> Feed:
        if self._options.get("constraint") is None and len(self._tokens) < _MANY_TOKENS:
            self._job = self._submit()
            return self
        # Compiling a grammar may take long enough for others to notice.
        submitting = asyncio.ensure_future(asyncio.to_thread(self._submit))
        try:
            self._job = await asyncio.shield(submitting)
        except asyncio.CancelledError:
            submitting.add_done_callback(_cancel_result)
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._job is not None and not self._job.finished:
            self._job.cancel()

    async def __aiter__(self) -> AsyncIterator[Update]:
        job = self.job
        first = True
        while True:
            self._told = False
            self._news.clear()
            update = job.take()
            if update.text or update.tokens or update.finished:
                yield update
                if update.finished:
                    return
                if not first:
                    await asyncio.sleep(GATHER_SECONDS)
                first = False
            else:
                await self._news.wait()

    async def wait(self) -> Result:
        """Until the job has ended. Raises as `result`."""
        self._only_end = True
        while not self.job.finished:
            self._told = False
            self._news.clear()
            if not self.job.finished:
                await self._news.wait()
        return self.result

    def _submit(self) -> Job:
        return self._scheduler.submit(
            self._tokens,
            user=self._user,
            deadline=self._deadline,
            notify=self._notify,
            **self._options,
        )

    def _notify(self) -> None:
        """In the scheduler's thread."""
        if self._told:
            return
        if self._only_end and self._job is not None and not self._job.finished:
            return
        self._told = True
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop was closed: nobody reads any more
            if self._job is not None:
                self._job.cancel()


def _cancel_result(submitting: asyncio.Future[Job]) -> None:
    """Whoever waited for the job went away while it was submitted."""
    if not submitting.cancelled() and submitting.exception() is None:
        submitting.result().cancel()
