"""Answers from many machines: subjects are spread over the workers of a Ray cluster.

    with RayAnswerer(address="local", model="default", workers=2, method="logits") as answerer:
        result = evaluate(exam, answerer, folder)

Every worker loads the model itself, by name or path, so it must be there on each machine, and so
must this version of Qingyu: file hash, settings and version are compared before anything is
asked. A subject is one worker's; its answers come back in small parts as they are there. They
and `identity` are those of one process, bit for bit, so a run begun on one machine may go on
here, and the other way round. A worker that dies is replaced, and what it had not answered is
asked again.

address: "local" starts a Ray on this machine, which obeys this process alone, and ends it; "auto"
or an address (host:6379) joins one that runs. Whoever reaches a Ray without its token
authentication may run code there: use that, and machines you trust.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import qingyu
from qingyu import text
from qingyu.engine.settings import EngineSettings
from qingyu.errors import EndpointError, InvalidRequestError, QingyuError
from qingyu.prove.exam import Answer, Answerer, Exam
from qingyu.prove.protocols import Method
from qingyu.prove.questions import Question
from qingyu.prove.writing import MAX_TOKENS
from qingyu.text import pick

# Seconds in which workers must have loaded the model.
_START_SECONDS = 900
# Answers that come within so many seconds go back together.
_PART_SECONDS = 0.2
# Workers that may die beyond the first of each.
_SPARE_DEATHS = 3
# Bytes: Ray would keep a third of the memory for objects; ours are small.
_OBJECT_STORE = 100 << 20


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """What a worker is told."""

    model: str
    method: Method
    threads: int
    activation_bits: int
    context: int | None
    template: str | None
    max_tokens: int
    language: str


class _Worker:
    """Runs on the cluster. It raises nothing: errors of ours come back as texts."""

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._answerer: Answerer | None = None

    def start(self) -> dict[str, Any]:
        """Load the model; who and what this is."""
        text.use(self._settings.language)
        about: dict[str, Any] = {
            "node": socket.gethostname(),
            "process": os.getpid(),
            "version": qingyu.__version__,
        }
        try:
            self._answerer = _answerer(self._settings)
            about["identity"] = dict(self._answerer.identity)
        except QingyuError as error:
            about["error"] = str(error)
        return about

    def answers(self, exam: Exam, questions: Sequence[Question]) -> Iterator[list[Answer] | str]:
        """Answers in parts; at last a text if it went wrong."""
        assert self._answerer is not None
        part: list[Answer] = []
        sent = time.monotonic()
        failure = ""
        try:
            for answer in self._answerer.answers(exam, questions):
                part.append(answer)
                if time.monotonic() - sent > _PART_SECONDS:
                    yield part
                    part = []
                    sent = time.monotonic()
        except QingyuError as error:
            failure = str(error)
        yield part
        if failure:
            yield failure


def _answerer(settings: _Settings) -> Answerer:
    model = qingyu.load(
        settings.model,
        context=settings.context,
        threads=settings.threads,
        template=settings.template,
        activation_bits=settings.activation_bits,
    )
    if settings.method == "logits":
        from qingyu.prove.choices import ChoiceAnswerer

        return ChoiceAnswerer(model)
    from qingyu.prove.writing import WritingAnswerer

    return WritingAnswerer(model, max_tokens=settings.max_tokens)


@dataclass(eq=False)
class _Task:
    """A subject that is being answered: by whom, the stream of parts, what is still open."""

    subject: str
    worker: Any
    stream: Any
    open: dict[int, Question] = field(default_factory=dict)


class RayAnswerer:
    """See the module. A context manager: leaving it ends the workers, and a Ray of its own."""

    def __init__(
        self,
        *,
        address: str,
        model: str | Path = "default",
        method: Method = "logits",
        workers: int = 2,
        threads: int | None = None,
        activation_bits: int = 8,
        context: int | None = None,
        template: str | None = None,
        max_tokens: int = MAX_TOKENS,
        sha256: str | None = None,
    ) -> None:
        """Start the workers and wait until each has loaded the model.

        model, activation_bits, context, template: as for `qingyu.load`, on each machine. method:
        the exam's. threads: of each worker; default: this machine's, or the smallest one's of
        the cluster, shared out evenly. max_tokens: of each text. sha256: of the model's file,
        where it is known; in any case all workers must have the same.

        Raises EndpointError when Ray is missing, cannot be reached, or has too few processors,
        and when a worker cannot load the model, or has another model or version.
        """
        if workers < 1:
            raise InvalidRequestError(
                pick(
                    f"workers is {workers}; it must be at least 1",
                    f"workers 为 {workers}；至少为 1",
                )
            )
        if address.startswith("ray://"):
            raise InvalidRequestError(
                pick(
                    f"{address}: a Ray client cannot stream answers; run this on a machine of the"
                    ' cluster with the address "auto", or give host:6379',
                    f"{address}：Ray Client 无法流式返回答案；请在集群的机器上使用地址 auto，"
                    "或给出 host:6379",
                )
            )
        self._ray = _import_ray(address)
        self._owns_ray = False
        self._workers: list[Any] = []
        self._method = method
        self._deaths = 0
        try:
            if threads is None and address == "local":
                threads = max(1, EngineSettings.from_environment().threads // workers)
            self._join(address, workers * (threads or 1))
            if threads is None:
                threads = _even_share(self._ray, workers)
            self._check_processors(workers, threads)
            # A name stays a name; a path is made whole, since workers stand elsewhere.
            reference = str(model)
            path = Path(reference)
            self._settings = _Settings(
                model=str(path.resolve()) if path.is_file() else reference,
                method=method,
                threads=threads,
                activation_bits=activation_bits,
                context=context,
                template=template,
                max_tokens=max_tokens,
                language=text.language(),
            )
            starting = [self._start() for _ in range(workers)]
            self.identity: Mapping[str, Any] = {}
            for _, about in starting:
                self._check(self._wait_for(about), sha256)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RayAnswerer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, and Ray if it was started here."""
        for worker in self._workers:
            with contextlib.suppress(Exception):  # Ray may be gone already
                self._ray.kill(worker)
        self._workers = []
        if self._owns_ray:
            self._owns_ray = False
            self._ray.shutdown()

    def answers(self, exam: Exam, wanted: Sequence[Question]) -> Iterator[Answer]:
        """Raises EndpointError when a worker meets an error, or too many die."""
        assert exam.method == self._method, exam.method
        subjects: dict[str, list[Question]] = {}
        for question in wanted:
            subjects.setdefault(question.subject, []).append(question)
        # The longest first, so that none is left for the end.
        queue = deque(sorted(subjects.items(), key=lambda pair: -len(pair[1])))
        idle = list(self._workers)
        starting: dict[Any, Any] = {}
        tasks: list[_Task] = []
        while queue or tasks:
            while queue and idle:
                subject, questions = queue.popleft()
                tasks.append(self._begin(idle.pop(), exam.subset([subject]), questions))
            waited = [*(task.stream for task in tasks), *starting]
            ready, _ = self._ray.wait(waited, num_returns=1, timeout=_START_SECONDS)
            if not ready and not tasks:
                raise _no_start()
            for one in ready:
                if one in starting:
                    worker = starting.pop(one)
                    self._check(self._wait_for(one), None)
                    idle.append(worker)
                    continue
                task = next(task for task in tasks if task.stream is one)
                try:
                    part = self._ray.get(next(task.stream))
                except StopIteration:
                    assert not task.open, task.open
                    tasks.remove(task)
                    idle.append(task.worker)
                except self._ray.exceptions.RayActorError:
                    tasks.remove(task)
                    if task.open:
                        queue.appendleft((task.subject, list(task.open.values())))
                    worker, about = self._replace(task.worker)
                    starting[about] = worker
                else:
                    if isinstance(part, str):
                        raise EndpointError(
                            pick(f"a worker stopped: {part}", f"工作进程停止：{part}")
                        )
                    for answer in part:
                        del task.open[answer.id]
                        yield answer

    def _begin(self, worker: Any, exam: Exam, questions: list[Question]) -> _Task:
        return _Task(
            subject=questions[0].subject,
            worker=worker,
            stream=worker.answers.remote(exam, questions),
            open={one.id: one for one in questions},
        )

    def _join(self, address: str, processors: int) -> None:
        if self._ray.is_initialized():
            return
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address == "local":
            options |= {
                "num_cpus": processors,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
                "_node_ip_address": "127.0.0.1",
            }
        try:
            self._ray.init(address=address, **options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            reason = str(error).strip().split("\n", 1)[0][:300]
            raise EndpointError(
                pick(
                    f"the Ray cluster {address!r} cannot be reached: {reason}",
                    f"无法连接 Ray 集群 {address!r}：{reason}",
                )
            ) from None
        self._owns_ray = True

    def _check_processors(self, workers: int, threads: int) -> None:
        there = int(self._ray.cluster_resources().get("CPU", 0))
        if workers * threads > there:
            raise EndpointError(
                pick(
                    f"{workers} workers of {threads} threads need {workers * threads} processors;"
                    f" the cluster has {there}",
                    f"{workers} 个工作进程各 {threads} 线程需要 {workers * threads} 个处理器；"
                    f"集群只有 {there} 个",
                )
            )

    def _start(self) -> tuple[Any, Any]:
        """A worker, and the promise of what it says of itself."""
        remote = self._ray.remote(_Worker).options(
            num_cpus=self._settings.threads, scheduling_strategy="SPREAD", max_restarts=0
        )
        worker = remote.remote(self._settings)
        self._workers.append(worker)
        return worker, worker.start.remote()

    def _replace(self, worker: Any) -> tuple[Any, Any]:
        self._deaths += 1
        self._workers.remove(worker)
        if self._deaths > _SPARE_DEATHS:
            raise EndpointError(
                pick(
                    f"{self._deaths} workers have died; is there memory for the model on each"
                    " machine? What was answered is kept: run it again to go on",
                    f"已有 {self._deaths} 个工作进程异常退出；每台机器的内存够放模型吗？"
                    "已有的答案已保存：再次运行即可继续",
                )
            )
        return self._start()

    def _wait_for(self, about: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._ray.get(about, timeout=_START_SECONDS)
        except self._ray.exceptions.GetTimeoutError:
            raise _no_start() from None
        except self._ray.exceptions.RayActorError as error:
            reason = str(error).strip().split("\n", 1)[0][:300]
            raise EndpointError(
                pick(f"a worker died as it started: {reason}", f"工作进程启动时退出：{reason}")
            ) from None
        return found

    def _check(self, about: Mapping[str, Any], sha256: str | None) -> None:
        """Take a worker's word for what it is, or refuse it."""
        node = about["node"]
        if about["version"] != qingyu.__version__:
            raise EndpointError(
                pick(
                    f"{node} has Qingyu {about['version']}, this is {qingyu.__version__}; install"
                    " the same on each machine",
                    f"{node} 上是 Qingyu {about['version']}，此处为 {qingyu.__version__}；"
                    "请在每台机器上安装同一版本",
                )
            )
        if "error" in about:
            raise EndpointError(f"{node}: {about['error']}")
        identity = about["identity"]
        wanted = sha256 or self.identity.get("sha256", identity["sha256"])
        if identity["sha256"] != wanted:
            raise EndpointError(
                pick(
                    f"the model's file on {node} has SHA-256 {identity['sha256'][:16]}…, it should"
                    f" be {wanted[:16]}…; bring the same file to each machine",
                    f"{node} 上的模型文件 SHA-256 为 {identity['sha256'][:16]}…，"
                    f"应为 {wanted[:16]}…；请在每台机器上使用同一文件",
                )
            )
        if self.identity and identity != self.identity:
            names = [name for name in identity if identity[name] != self.identity.get(name)]
            raise EndpointError(
                pick(
                    f"{node} differs from the other workers in {', '.join(names)}",
                    f"{node} 与其他工作进程不同：{'、'.join(names)}",
                )
            )
        self.identity = identity


def _import_ray(address: str) -> Any:
    # Ray would report its use to its makers; nothing leaves here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # It listens on every interface, and whoever reaches it may run code: with a token nobody
    # knows, only this process and its workers can. Read when it is imported.
    if address == "local" and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise EndpointError(
            pick(
                "spreading over a cluster needs Ray: pip install 'qingyu[cluster]'",
                "使用集群需要 Ray：pip install 'qingyu[cluster]'",
            )
        ) from None


def _even_share(ray: Any, workers: int) -> int:
    """Threads of each worker, when the machines share the workers out evenly."""
    sizes = [int(one["Resources"].get("CPU", 0)) for one in ray.nodes() if one["Alive"]]
    sizes = [size for size in sizes if size] or [1]
    return max(1, min(sizes) // -(-workers // len(sizes)))


def _no_start() -> EndpointError:
    return EndpointError(
        pick(
            f"no worker has started within {_START_SECONDS} s; the cluster may be busy",
            f"{_START_SECONDS} 秒内没有工作进程启动；集群可能繁忙",
        )
    )
