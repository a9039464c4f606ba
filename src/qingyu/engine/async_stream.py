"""Text as it comes, for asyncio.

    async for piece in model.agenerate("Once"): ...
    result = await model.agenerate("Once").read()

A thread computes up to 64 pieces ahead of the reader. Closing the stream, cancelling the task
that waits for a piece, or letting the stream be garbage-collected ends it after the forward
that runs, and frees the sequence. Apart from `stream.py` because importing asyncio takes time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType

from qingyu.engine.results import Result
from qingyu.engine.stream import Stream

# Pieces computed before the reader has taken them.
PIECES_AHEAD = 64


class AsyncStream:
    """A `Stream` for asyncio: computed in a thread, a bounded number of pieces ahead.

    Cancelling the task that waits for a piece cancels the generation. Belongs to the event
    loop of the first read.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._worker: _Worker | None = None
        self._ended = False

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> str:
        if self._ended:
            raise StopAsyncIteration
        if self._worker is None:
            self._worker = _Worker(self._stream, asyncio.get_running_loop())
        try:
            item = await self._worker.queue.get()
        except asyncio.CancelledError:
            self._worker.stop()
            raise
        if isinstance(item, str):
            self._worker.slots.release()
            return item
        self._ended = True
        if item is not None:
            raise item
        raise StopAsyncIteration

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        worker = getattr(self, "_worker", None)
        if worker is not None:
            worker.stop()

    @property
    def result(self) -> Result:
        """As `Stream.result`."""
        return self._stream.result

    async def read(self) -> Result:
        """As `Stream.read`."""
        async for _ in self:
            pass
        return self.result

    async def aclose(self) -> None:
        """Stop generating, and wait until the sequence is freed."""
        self._ended = True
        if self._worker is None:
            await asyncio.to_thread(self._stream.close)
            return
        self._worker.stop()
        await self._worker.done.wait()


class _Worker:
    """The thread that steps. Holds the stream, not the AsyncStream, so that dropping the
    latter ends it."""

    def __init__(self, stream: Stream, loop: asyncio.AbstractEventLoop) -> None:
        self.queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.slots = threading.Semaphore(PIECES_AHEAD)
        self.done = asyncio.Event()
        self._stream = stream
        self._loop = loop
        threading.Thread(target=self._run, name="qingyu-stream", daemon=True).start()

    def stop(self) -> None:
        """Takes no lock of the model: finalizers call it."""
        self._stream.halt()
        self.slots.release()

    def _run(self) -> None:
        ending: Exception | None = None
        try:
            for piece in self._stream:
                self.slots.acquire()
                if not self._tell(self.queue.put_nowait, piece):
                    break
        except Exception as error:  # for the reader to raise
            ending = error
        self._stream.close()
        self._tell(self.queue.put_nowait, ending)
        self._tell(self.done.set)

    def _tell(self, call: Callable[..., object], *arguments: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop was closed: nobody reads any more
            return False
        return True
