"""The household a server speaks for: one assistant, asked from threads, and who watches it.

    home = Home(assistant)
    await home.do(lambda: home.say("关灯", "den"))       # JSON of the answer
    watcher = home.watch()
    async for event in watcher.events(): ...            # "state" first, then what changes

The assistant does one thing at a time by itself (a robot's stop passes by); nothing here waits on
the event loop. It knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from qingyu.act.answers import Fired, Language
from qingyu.act.assistant import Assistant
from qingyu.act.state import Changes
from qingyu.act.world import World
from qingyu.errors import InvalidRequestError
from qingyu.serve.home_view import HomeView
from qingyu.serve.problems import ApiError
from qingyu.text import pick

Result = TypeVar("Result")
MOST_AT_ONCE = 32
"""Orders that may wait for the household; a device may take seconds to answer."""
MOST_WATCHERS = 64
_MOST_FIRED = 100
"""Schedules that fired while a page did not read; the oldest are left out beyond."""


class Home:
    """assistant: of whoever made it, who also ends it, after `close`."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self._view = HomeView(assistant.world)
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="assist")
        self._busy = 0
        self._guard = threading.Lock()
        self._watchers: set[Watcher] = set()
        self._ends = (
            assistant.devices.listen(self._changed),
            assistant.listen(self._fired),
        )

    async def do(self, call: Callable[[], Result]) -> Result:
        """call(), in a thread. Raises ApiError 429 where too many wait already."""
        if self._busy >= MOST_AT_ONCE:
            raise too_many()
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._busy -= 1

    @property
    def view(self) -> HomeView:
        """In the words of the household as it is now."""
        if self._view.world is not self.assistant.world:
            self._view = HomeView(self.assistant.world)
        return self._view

    def state(self) -> dict[str, Any]:
        """What there is and how it is."""
        world, view = self.assistant.world, self.view
        return {
            "household": world.name,
            "speaker": world.speaker,
            **view.places(),
            "devices": view.devices(),
            "values": view.values(self.assistant.state()),
        }

    def say(
        self,
        text: str,
        speaker: str | None = None,
        language: Language | None = None,
        turn: int | None = None,
    ) -> dict[str, Any]:
        """An answer as JSON. speaker: None for where the household's file says. Raises as
        `Assistant.say`."""
        answer = self.assistant.say(text, self._speaker(speaker), language, turn=turn)
        return self.view.answer(answer)

    def undo(self, speaker: str | None = None, language: Language | None = None) -> dict[str, Any]:
        return self.view.answer(self.assistant.undo(self._speaker(speaker), language))

    def _speaker(self, given: str | None) -> str:
        return self.assistant.world.speaker if given is None else given

    def memory(self) -> list[dict[str, Any]]:
        """What was taught, in that order."""
        return [self.view.memory(one) for one in self.assistant.memory.list()]

    def forget(self, id: int | None) -> list[dict[str, Any]]:
        """Forget one thing for good, or all (None); what is left. Raises InvalidRequestError."""
        for one in [id] if id is not None else [one.id for one in self.assistant.memory.list()]:
            self.assistant.forget(one)
        self.tell_world()
        return self.memory()

    def schedules(self) -> list[dict[str, Any]]:
        """Those that wait, the next one first."""
        return [self.view.schedule(one) for one in self.assistant.schedules.list()]

    def cancel(self, id: int | None) -> list[dict[str, Any]]:
        """Cancel one schedule, or all (None); what is left. Raises InvalidRequestError."""
        schedules = self.assistant.schedules
        if id is not None:
            schedules.cancel(id)
        else:
            for one in schedules.list():
                # One that fires at this moment waits no more.
                with contextlib.suppress(InvalidRequestError):
                    schedules.cancel(one.id)
        return self.schedules()

    def news(self) -> list[dict[str, Any]]:
        """What went wrong while nobody looked; told once."""
        return [self.view.news(one) for one in self.assistant.news()]

    # What changes.

    def watch(self) -> Watcher:
        """On an event loop. Raises ApiError 429 where there are too many."""
        with self._guard:
            if len(self._watchers) >= MOST_WATCHERS:
                raise too_many()
            watcher = Watcher(self)
            self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        with self._guard:
            self._watchers.discard(watcher)

    def use_world(self, world: World) -> None:
        """Devices came or went."""
        self.assistant.use_world(world)
        self.tell_world()

    def tell_world(self) -> None:
        """Names or devices are others now."""
        self._tell(lambda watcher: watcher.renew())

    def _changed(self, changes: Changes) -> None:
        self._tell(lambda watcher: watcher.change(changes))

    def _fired(self, fired: Fired) -> None:
        record = self.view.fired(fired)
        self._tell(lambda watcher: watcher.fire(record))

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        with self._guard:
            watchers = tuple(self._watchers)
        for one in watchers:
            one.tell(what)

    def end_watching(self) -> None:
        """The server stops: no page is told anything more."""
        self._tell(lambda watcher: watcher.end())

    def close(self) -> None:
        """What is being done is done to its end first."""
        for end in self._ends:
            end()
        self.end_watching()
        self._pool.shutdown()


class Watcher:
    """What one page was not told yet. Many changes of a device become one event, so that a page
    that reads slowly costs no more memory."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._changed: dict[str, dict[str, None]] = {}
        self._fired: list[dict[str, Any]] = []
        self._renewed = False
        self._ended = False

    def tell(self, what: Callable[[Watcher], None]) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._take, what)

    def _take(self, what: Callable[[Watcher], None]) -> None:
        what(self)
        self._wake.set()

    def change(self, changes: Changes) -> None:
        for id, values in changes.items():
            self._changed.setdefault(id, {}).update(dict.fromkeys(values))

    def fire(self, record: dict[str, Any]) -> None:
        self._fired.append(record)
        del self._fired[:-_MOST_FIRED]

    def renew(self) -> None:
        self._renewed = True

    def end(self) -> None:
        self._ended = True

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """With their `type`: state, changes, fired, news."""
        home = self._home
        # Whoever watches is told already, so nothing falls between this and what follows.
        yield {"type": "state", **await asyncio.to_thread(home.state)}
        news = await asyncio.to_thread(home.news)
        if news:
            yield {"type": "news", "news": news}
        while not self._ended:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, {}
            fired, self._fired = self._fired, []
            if self._renewed:
                self._renewed = False
                yield {"type": "state", **await asyncio.to_thread(home.state)}
            elif changed:
                yield {
                    "type": "changes",
                    "values": home.view.values(home.assistant.state(), changed),
                    "changed": {id: list(keys) for id, keys in changed.items()},
                }
            for one in fired:
                yield {"type": "fired", **one}

    async def aclose(self) -> None:
        self._home.leave(self)


def too_many() -> ApiError:
    return ApiError(
        429,
        pick("the household is busy; try again soon", "家中正忙；请稍后再试"),
        kind="rate_limit_error",
        code="too_many_requests",
        headers={"Retry-After": "1"},
    )
