"""Text as it comes: an iterator.

    for piece in model.generate("Once"): print(piece, end="")
    result = model.generate("Once").read()

Pieces are whole characters, never empty. It computes only when asked for the next piece.
Closing it, or letting it be garbage-collected, frees the sequence. For asyncio see
`async_stream.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from qingyu.engine.generation import Generation
from qingyu.engine.results import Result
from qingyu.engine.session import Session


class Stream(Iterator[str]):
    """A generation read piece by piece. For one reader; `close` may come from any thread."""

    def __init__(self, session: Session, generation: Generation) -> None:
        self._session = session
        self._generation = generation
        self._closed = False

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> str:
        generation = self._generation
        while not self._closed:
            piece = generation.take()
            if piece:
                return piece
            if generation.error is not None:
                raise generation.error
            if generation.finished:
                break
            try:
                self._session.step()
            except BaseException:
                self.close()
                raise
        raise StopIteration

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def result(self) -> Result:
        """The record of a stream read to its end or closed.

        Raises InvalidRequestError before that.
        """
        return self._generation.result

    def read(self) -> Result:
        """Generate what is left, and return the record."""
        for _ in self:
            pass
        return self.result

    def close(self) -> None:
        """Stop generating; iterating ends. The record then says "cancelled"."""
        self.halt()
        self._session.cancel(self._generation)

    def halt(self) -> None:
        """Ask whoever iterates to stop after the forward that runs; waits for nothing."""
        self._closed = True
