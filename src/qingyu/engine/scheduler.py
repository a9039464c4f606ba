"""Serves many users from one model: requests join and leave the running batch between tokens.

    scheduler = Scheduler(model, SchedulerSettings(max_running=16))
    job = scheduler.submit(tokens, user="alice", max_tokens=100, notify=wake)
    job.take().text, job.finished, job.generation.result

One thread steps one `Session`. Users take turns: with a full batch, the next place goes to the
user who has been served least recently, whose own requests come in order. It knows neither
HTTP nor text formats.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Unpack

from qingyu.engine.generation import Generation
from qingyu.engine.request import Options
from qingyu.engine.results import TokenInfo
from qingyu.errors import DeadlineError, InvalidRequestError, QingyuError, QueueFullError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model

# Jobs remembered for how long a queue takes to move.
_RECENT_JOBS = 32


@dataclass(frozen=True, kw_only=True)
class SchedulerSettings:
    """max_running: most requests in one batch; max_waiting: most that wait for a place.
    speculation: guess tokens ahead where it has paid."""

    max_running: int = 16
    max_waiting: int = 64
    speculation: bool = True

    def __post_init__(self) -> None:
        for name, least in (("max_running", 1), ("max_waiting", 0)):
            value = getattr(self, name)
            if value < least:
                raise InvalidRequestError(
                    pick(
                        f"{name} is {value}; it must be at least {least}",
                        f"{name} 为 {value}；至少为 {least}",
                    )
                )


class Update(NamedTuple):
    """What is new of a job: text, the tokens with log-probabilities when they were asked for,
    and whether that is all."""

    text: str
    tokens: tuple[TokenInfo, ...]
    finished: bool


@dataclass(frozen=True, kw_only=True)
class SchedulerStats:
    """Counts now and since the start. Rates are for whoever reads twice.

    running, waiting: requests; kv_used, kv_total: tokens; parked: prefixes kept.
    """

    running: int
    waiting: int
    finished: int
    cancelled: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    prefix_hits: int
    forward_passes: int
    guessed_tokens: int
    confirmed_tokens: int
    kv_used: int
    kv_total: int
    parked: int


class Job:
    """One request. For one reader; `cancel` may come from any thread."""

    def __init__(
        self,
        scheduler: Scheduler,
        generation: Generation,
        *,
        user: str,
        seconds: float | None,
        notify: Callable[[], None] | None,
    ) -> None:
        self.generation = generation
        self.user = user
        self.arrived = time.monotonic()
        # Seconds from arriving to the first token; None before.
        self.first_seconds: float | None = None
        self.seconds = seconds
        self.deadline = None if seconds is None else self.arrived + seconds
        self._scheduler = scheduler
        self._notify = notify
        self._num_infos = 0

    @property
    def finished(self) -> bool:
        return self.generation.finished

    def take(self) -> Update:
        """What is new since the last call; never waits."""
        # In this order: what is finished has no more text.
        finished = self.generation.finished
        infos = self.generation.infos
        tokens: tuple[TokenInfo, ...] = ()
        if infos is not None:
            tokens = tuple(infos[self._num_infos :])
            self._num_infos += len(tokens)
        return Update(self.generation.take(), tokens, finished)

    def cancel(self) -> None:
        """Its place is free at the next token. Returns at once."""
        self._scheduler._cancel(self)

    def _tell(self) -> None:
        if self._notify is not None:
            self._notify()


class Scheduler:
    """See the module. `close` ends its thread; the model stays."""

    def __init__(
        self,
        model: Model,
        settings: SchedulerSettings | None = None,
        *,
        draft: Model | None = None,
    ) -> None:
        self.settings = settings or SchedulerSettings()
        self._core = model.core
        self._session = model.session(draft=draft)
        self._guard = threading.Condition()
        # Users with requests that wait, least recently served first.
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()
        self._waiting = 0
        self._running: dict[Generation, Job] = {}
        self._leaving: list[Job] = []
        self._closed = False
        self._recent: deque[float] = deque(maxlen=_RECENT_JOBS)
        self._finished = 0
        self._cancelled = 0
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._generated_tokens = 0
        self._prefix_hits = 0
        self._thread = threading.Thread(target=self._run, name="qingyu-scheduler", daemon=True)
        self._thread.start()

    def submit(
        self,
        tokens: Sequence[int],
        *,
        user: str = "",
        deadline: float | None = None,
        notify: Callable[[], None] | None = None,
        **options: Unpack[Options],
    ) -> Job:
        """Queue a request. notify: called from the scheduler's thread, with no lock held, when
        `take` has something new; deadline: seconds from now until it is ended.

        Raises QueueFullError, and whatever `Session.add` does.
        """
        with self._guard:
            self._check_open()
            full = self._waiting >= self.settings.max_waiting
            if full and self._waiting + len(self._running) >= self._places:
                raise QueueFullError(
                    # Those for whom there is a place are as good as in.
                    waiting=self._waiting + len(self._running) - self.settings.max_running,
                    limit=self.settings.max_waiting,
                    retry_after=self._retry_after(),
                )
        if not self.settings.speculation:
            options["speculate"] = False
        generation = self._session.prepare(tokens, **options)
        job = Job(self, generation, user=user, seconds=deadline, notify=notify)
        if generation.finished:  # its grammar left nothing to choose
            self._count(job)
            job._tell()
            return job
        with self._guard:
            self._check_open()
            self._queues.setdefault(user, deque()).append(job)
            self._waiting += 1
            self._guard.notify()
        return job

    def stats(self) -> SchedulerStats:
        """Counts, without waiting for a forward."""
        kv_used, kv_total = self._core.usage()
        with self._guard:
            return SchedulerStats(
                running=len(self._running),
                waiting=self._waiting,
                finished=self._finished,
                cancelled=self._cancelled,
                prompt_tokens=self._prompt_tokens,
                cached_tokens=self._cached_tokens,
                generated_tokens=self._generated_tokens,
                prefix_hits=self._prefix_hits,
                forward_passes=self._session.forward_passes,
                guessed_tokens=self._session.guessed_tokens,
                confirmed_tokens=self._session.confirmed_tokens,
                kv_used=kv_used,
                kv_total=kv_total,
                parked=self._core.num_parked,
            )

    def close(self) -> None:
        """Cancel all requests and end the thread."""
        with self._guard:
            self._closed = True
            self._guard.notify()
        self._thread.join()

    @property
    def _places(self) -> int:
        return self.settings.max_running + self.settings.max_waiting

    def _check_open(self) -> None:
        if self._closed:
            raise QingyuError(pick("the server is stopping", "服务正在停止"))

    def _cancel(self, job: Job) -> None:
        with self._guard:
            self._leaving.append(job)
            self._guard.notify()

    def _retry_after(self) -> int:
        """Seconds until somebody should have left, from how often that happened lately."""
        if len(self._recent) < 2:
            return 1
        each = (time.monotonic() - self._recent[0]) / len(self._recent)
        return min(60, max(1, round(each * max(1, self._waiting))))

    def _run(self) -> None:
        while self._wait():
            try:
                moved = self._session.step()
            except Exception as error:
                # For one alone there is not room enough, or the model was closed, or there is a
                # bug: whoever waits for an answer must hear of it, and others be served.
                if not isinstance(error, QingyuError):
                    traceback.print_exc()
                    error = QingyuError(pick("the engine failed", "引擎出错"))
                for job in list(self._running.values()):
                    self._session.end(job.generation, error)
                moved = list(self._running)
            for generation in moved:
                if generation not in self._running:
                    continue
                job = self._running[generation]
                if job.first_seconds is None and generation.forward_passes:
                    job.first_seconds = time.monotonic() - job.arrived
                if generation.finished:
                    self._leave(job)
                if generation.finished or generation.has_news:
                    job._tell()
        for job in [*self._running.values(), *(job for q in self._queues.values() for job in q)]:
            self._session.cancel(job.generation)
            job._tell()
        self._session.close()

    def _wait(self) -> bool:
        """Let in and out who may; wait while nobody is in. False: closed."""
        with self._guard:
            while True:
                leaving, self._leaving = self._leaving, []
                late = self._late()
                coming = self._next()
                if self._closed or leaving or late or coming or self._running:
                    break
                self._guard.wait()
        for job in leaving:
            self._end(job, None)
        for job in late:
            self._end(job, DeadlineError(seconds=job.seconds or 0.0))
        return not self._closed

    def _next(self) -> bool:
        """Give free places to those who wait. True if somebody came in."""
        came = False
        while self._waiting and len(self._running) < self.settings.max_running:
            user, queue = next(iter(self._queues.items()))
            job = queue.popleft()
            self._waiting -= 1
            del self._queues[user]
            if queue:
                self._queues[user] = queue  # behind all other users
            if job.finished:
                continue
            self._running[job.generation] = job
            self._session.enter(job.generation)
            came = True
        return came

    def _late(self) -> list[Job]:
        now = time.monotonic()
        waiting = (job for queue in self._queues.values() for job in queue)
        return [
            job
            for job in (*self._running.values(), *waiting)
            if job.deadline is not None and job.deadline <= now
        ]

    def _end(self, job: Job, error: QingyuError | None) -> None:
        if job.finished:
            return
        self._session.end(job.generation, error)
        self._leave(job)
        job._tell()

    def _leave(self, job: Job) -> None:
        with self._guard:
            queue = self._queues.get(job.user)
            if queue is not None and job in queue:
                queue.remove(job)
                self._waiting -= 1
                if not queue:
                    del self._queues[job.user]
            self._running.pop(job.generation, None)
            self._recent.append(time.monotonic())
            self._count(job)

    def _count(self, job: Job) -> None:
        generation = job.generation
        if generation.stop_reason == "cancelled":
            self._cancelled += 1
        else:
            self._finished += 1
        if generation.forward_passes:
            self._prompt_tokens += generation.num_prompt
            self._cached_tokens += generation.cached_tokens
            self._prefix_hits += generation.cached_tokens > 0
        self._generated_tokens += len(generation.history) - generation.num_prompt
