"""A scheduler's job as an asyncio event loop sees it.

    async for update in feed(scheduler, tokens, user="alice", max_tokens=100):
        send(update.text)
    update.finished; job.generation.result

The first update comes at once; later ones are gathered for some milliseconds, because a person
cannot read faster and every event costs the model time. It knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from qingyu.engine.request import Options
from qingyu.engine.scheduler import Job, Scheduler, Update

# At most so many updates a second: one per picture of a screen.
GATHER_SECONDS = 1 / 60


class Feed:
    """Updates of one job. Leaving its `async with` cancels a job that still runs.

    Raises what `Scheduler.submit` raises. `job` gives the result after the last update, whose
    `finished` is true; the result raises the error that ended the job, if one did.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        tokens: Sequence[int],
        *,
        user: str = "",
        deadline: float | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        # True while a wake-up is on its way: one is enough until the reader has looked.
        self._told = False
        self.job: Job = scheduler.submit(
            tokens, user=user, deadline=deadline, notify=self._notify, **options
        )

    async def __aenter__(self) -> Feed:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel the job if it runs."""
        if not self.job.finished:
            self.job.cancel()

    async def __aiter__(self) -> AsyncIterator[Update]:
        try:
            first = True
            while True:
                update = self.job.take()
                if update.text or update.tokens or update.finished:
                    yield update
                    if update.finished:
                        return
                    if not first:
                        await asyncio.sleep(GATHER_SECONDS)
                    first = False
                self._told = False
                self._news.clear()
                if not (self.job.finished or self.job.generation.has_news):
                    await self._news.wait()
        finally:
            self.close()

    async def wait(self) -> None:
        """Until the job has ended, whatever it yields meanwhile."""
        async for _ in self:
            pass

    def _notify(self) -> None:
        """In the scheduler's thread."""
        if self._told:
            return
        self._told = True
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop was closed: nobody reads any more
            self.job.cancel()
