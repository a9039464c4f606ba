"""One scheduler for many users: places, turns, cancelling, deadlines."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fakes import context_of, fake_model
from qingyu.engine.scheduler import Job, Scheduler, SchedulerSettings
from qingyu.errors import (
    ContextFullError,
    DeadlineError,
    InvalidRequestError,
    QingyuError,
    QueueFullError,
)


class Gate:
    """Lets forwards of a fake core through one by one."""

    def __init__(self, model: Any) -> None:
        self._go = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)
        self._open = False
        context_of(model).before_forward = self._wait

    def _wait(self) -> None:
        if not self._open:
            self._arrived.release()
            assert self._go.acquire(timeout=20)

    def at_forward(self) -> None:
        """Until the core stands before a forward."""
        assert self._arrived.acquire(timeout=20)

    def step(self) -> None:
        self._go.release()

    def open(self) -> None:
        self._open = True
        self._go.release()


def finish(job: Job, ended: threading.Event | None = None) -> None:
    for _ in range(2000):
        if job.finished:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the job does not end")


@pytest.fixture
def model() -> Any:
    # Never ends by itself.
    return fake_model(script=lambda history: 65 + len(history) % 26, context=512, kv_tokens=8192)


@pytest.fixture
def scheduler(model: Any) -> Iterator[Scheduler]:
    scheduler = Scheduler(model, SchedulerSettings(max_running=2, max_waiting=2))
    context = context_of(model)
    yield scheduler
    context.before_forward = None
    scheduler.close()


def test_jobs_give_what_the_model_alone_gives(model: Any, scheduler: Scheduler) -> None:
    told = threading.Event()
    jobs = [
        scheduler.submit([count, 5, 6], max_tokens=12, notify=told.set, user=str(count))
        for count in range(1, 4)
    ]
    for count, job in enumerate(jobs, 1):
        finish(job)
        wanted = model.generate([count, 5, 6], max_tokens=12).read()
        assert job.generation.result.tokens == wanted.tokens
        assert job.take() == (wanted.text, (), True)
        assert job.take() == ("", (), True)
    assert told.is_set()
    stats = scheduler.stats()
    assert (stats.finished, stats.running, stats.waiting) == (3, 0, 0)
    assert stats.generated_tokens == sum(len(job.generation.tokens) for job in jobs)
    assert 0 < stats.kv_used <= stats.kv_total


def test_a_full_queue_refuses_with_the_numbers(model: Any, scheduler: Scheduler) -> None:
    gate = Gate(model)
    jobs = [scheduler.submit([1, 2], max_tokens=3)]
    gate.at_forward()
    jobs += [scheduler.submit([1, 2], max_tokens=3) for _ in range(3)]
    with pytest.raises(QueueFullError, match="holds 2") as caught:
        scheduler.submit([1, 2], max_tokens=3)
    assert caught.value.retry_after >= 1
    # Of the three that wait, one has a place already.
    assert caught.value.waiting == 2
    gate.open()
    for job in jobs:
        finish(job)
    finish(scheduler.submit([1, 2], max_tokens=3))


def test_users_take_turns(model: Any) -> None:
    scheduler = Scheduler(model, SchedulerSettings(max_running=1, max_waiting=20))
    gate = Gate(model)
    ended: list[str] = []
    first = scheduler.submit([1, 2], max_tokens=1, user="greedy")
    gate.at_forward()
    for count in range(4):
        name = f"greedy {count}"
        scheduler.submit(
            [1, 3 + count], max_tokens=1, user="greedy", notify=lambda name=name: ended.append(name)
        )
    last = scheduler.submit(
        [9, 9], max_tokens=1, user="modest", notify=lambda: ended.append("modest")
    )
    gate.open()
    finish(first)
    finish(last)
    scheduler.close()
    assert ended.index("modest") <= 1


def test_a_cancelled_job_frees_its_place_at_the_next_token(
    model: Any, scheduler: Scheduler
) -> None:
    gate = Gate(model)
    jobs = [scheduler.submit([count, 2], max_tokens=400) for count in (1, 2)]
    gate.at_forward()
    waiting = scheduler.submit([3, 2], max_tokens=1)
    gate.step()
    gate.at_forward()
    jobs[0].cancel()
    gate.step()
    gate.at_forward()
    gate.open()
    finish(waiting)
    assert jobs[0].generation.result.stop_reason == "cancelled"
    assert len(jobs[0].generation.tokens) <= 3
    jobs[1].cancel()
    finish(jobs[1])


def test_a_waiting_job_can_be_cancelled(model: Any, scheduler: Scheduler) -> None:
    gate = Gate(model)
    running = [scheduler.submit([1, 2], max_tokens=2)]
    gate.at_forward()
    running.append(scheduler.submit([1, 2], max_tokens=2))
    gate.step()
    gate.at_forward()
    waiting = scheduler.submit([3, 2], max_tokens=1)
    waiting.cancel()
    gate.open()
    finish(waiting)
    for job in running:
        finish(job)
    assert waiting.generation.result.tokens == ()
    assert scheduler.stats().waiting == 0


def test_a_deadline_ends_a_job_with_an_error(model: Any, scheduler: Scheduler) -> None:
    job = scheduler.submit([1, 2], max_tokens=400, deadline=0.0)
    finish(job)
    with pytest.raises(DeadlineError, match="0 s"):
        _ = job.generation.result


def test_bad_requests_are_refused_at_once(scheduler: Scheduler) -> None:
    with pytest.raises(ContextFullError):
        scheduler.submit([1] * 600)
    with pytest.raises(InvalidRequestError, match="max_tokens"):
        scheduler.submit([1], max_tokens=0)
    with pytest.raises(InvalidRequestError, match="max_running"):
        SchedulerSettings(max_running=0)


def test_closing_ends_what_runs_and_refuses_more(model: Any) -> None:
    scheduler = Scheduler(model, SchedulerSettings(max_running=1))
    jobs = [scheduler.submit([count, 2], max_tokens=400) for count in (1, 2, 3)]
    scheduler.close()
    assert all(job.finished for job in jobs)
    with pytest.raises(QingyuError, match="stopping"):
        scheduler.submit([1])


def test_one_that_fails_does_not_take_the_others(model: Any, scheduler: Scheduler) -> None:
    bans = {token: float("-inf") for token in range(260)}
    bad = scheduler.submit([1, 2], logit_bias=bans)
    good = scheduler.submit([1, 2], max_tokens=4)
    finish(bad)
    finish(good)
    with pytest.raises(InvalidRequestError, match="bans every token"):
        _ = bad.generation.result
    assert len(good.generation.result.tokens) == 4


def test_a_closed_model_ends_jobs_clearly(model: Any, scheduler: Scheduler) -> None:
    gate = Gate(model)
    job = scheduler.submit([1, 2], max_tokens=400)
    gate.at_forward()
    closing = threading.Thread(target=model.close)
    closing.start()
    gate.open()
    closing.join(20)
    finish(job)
    with pytest.raises(QingyuError, match="closed"):
        _ = job.generation.result


def test_a_bug_ends_what_runs_and_not_the_server(
    model: Any, scheduler: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        context_of(model).before_forward = None
        raise RuntimeError("a bug")

    context_of(model).before_forward = fail
    job = scheduler.submit([1, 2], max_tokens=4)
    finish(job)
    with pytest.raises(QingyuError, match="engine failed"):
        _ = job.generation.result
    after = scheduler.submit([1, 2], max_tokens=4)
    finish(after)
    assert len(after.generation.result.tokens) == 4
    assert "a bug" in capsys.readouterr().err
