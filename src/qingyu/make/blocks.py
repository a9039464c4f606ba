"""The bytes of a weight in a given type, piece by piece, on several threads.

    with Encoder(threads=2) as encoder:
        for piece in encoder.pieces(name, weight, GGMLType.Q4_K):
            file.write(piece)

Pieces come in order whatever thread made them, and only a few exist at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from qingyu.errors import ModelFileError
from qingyu.make.network import Floats, Weight
from qingyu.make.quantize import Bytes, UnfitValueError, quantize
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

_AHEAD = 2  # pieces in work for each thread


class Encoder:
    """See the module."""

    def __init__(self, *, threads: int) -> None:
        assert threads >= 1, threads
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encode")

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def pieces(
        self,
        name: str,
        weight: Weight,
        kind: GGMLType,
        *,
        multiple: int = 1,
        change: Callable[[Floats], Floats] | None = None,
    ) -> Iterator[Bytes]:
        """uint8 pieces of the weight in `kind`. change: what becomes of each piece's rows, whose
        number is a multiple of `multiple`.

        Raises ModelFileError for a value the type cannot hold.
        """

        def encode(first: int, last: int) -> Bytes:
            rows = weight.rows(first, last)
            try:
                return quantize(kind, rows if change is None else change(rows))
            except UnfitValueError as error:
                raise ModelFileError(
                    pick(
                        f"the weight {name} holds {error}, which {kind.name} cannot;"
                        " the model is damaged, or needs another type",
                        f"权重 {name} 含有 {kind.name} 无法表示的值（{error}）；"
                        "模型已损坏，或需要换一种类型",
                    )
                ) from None

        waiting: deque[Future[Bytes]] = deque()
        try:
            for first, last in weight.pieces(multiple=multiple):
                waiting.append(self._pool.submit(encode, first, last))
                if len(waiting) > _AHEAD * self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
