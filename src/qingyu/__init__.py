"""Qingyu 轻语: a lightweight large language model on your own machine.

    import qingyu

    with qingyu.load() as model:
        for piece in model.generate("Once upon a time", max_tokens=50):
            print(piece, end="", flush=True)

Everything public is here; importing it costs nothing until a name is used. Errors are in
`qingyu.errors`, and the base of them all is `qingyu.QingyuError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qingyu.engine.async_stream import AsyncStream
    from qingyu.engine.constraint import Grammar
    from qingyu.engine.generation import Generation
    from qingyu.engine.loading import load
    from qingyu.engine.model import Model
    from qingyu.engine.results import (
        AdapterInfo,
        ModelInfo,
        Perplexity,
        Result,
        SavedState,
        Score,
        TokenInfo,
    )
    from qingyu.engine.sampling import Sampling
    from qingyu.engine.session import Session
    from qingyu.engine.stream import Stream
    from qingyu.errors import (
        ActionError,
        ConstraintError,
        ContextFullError,
        DataError,
        DeadlineError,
        DiskSpaceError,
        DownloadError,
        EndpointError,
        HashMismatchError,
        InvalidRequestError,
        JournalError,
        ModelFileError,
        ModelNotFoundError,
        OfflineError,
        OutOfMemoryError,
        QingyuError,
        QueueFullError,
        RecordsError,
        SealError,
        StateError,
        TemplateError,
        TrainingError,
        UnsupportedModelError,
        WorldError,
    )

    __version__: str

# Where each public name lives; imported when first used (PEP 562).
_HOMES = {
    "qingyu.engine.async_stream": ("AsyncStream",),
    "qingyu.engine.generation": ("Generation",),
    "qingyu.engine.loading": ("load",),
    "qingyu.engine.model": ("Model",),
    "qingyu.engine.constraint": ("Grammar",),
    "qingyu.engine.results": (
        "AdapterInfo",
        "ModelInfo",
        "Perplexity",
        "Result",
        "SavedState",
        "Score",
        "TokenInfo",
    ),
    "qingyu.engine.sampling": ("Sampling",),
    "qingyu.engine.session": ("Session",),
    "qingyu.engine.stream": ("Stream",),
    "qingyu.errors": (
        "ActionError",
        "ConstraintError",
        "ContextFullError",
        "DataError",
        "DeadlineError",
        "DiskSpaceError",
        "DownloadError",
        "EndpointError",
        "HashMismatchError",
        "InvalidRequestError",
        "JournalError",
        "ModelFileError",
        "ModelNotFoundError",
        "OfflineError",
        "OutOfMemoryError",
        "QingyuError",
        "QueueFullError",
        "RecordsError",
        "SealError",
        "StateError",
        "TemplateError",
        "TrainingError",
        "UnsupportedModelError",
        "WorldError",
    ),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ActionError",
    "AdapterInfo",
    "AsyncStream",
    "ConstraintError",
    "ContextFullError",
    "DataError",
    "DeadlineError",
    "DiskSpaceError",
    "DownloadError",
    "EndpointError",
    "Generation",
    "Grammar",
    "HashMismatchError",
    "InvalidRequestError",
    "JournalError",
    "Model",
    "ModelFileError",
    "ModelInfo",
    "ModelNotFoundError",
    "OfflineError",
    "OutOfMemoryError",
    "Perplexity",
    "QingyuError",
    "QueueFullError",
    "RecordsError",
    "Result",
    "Sampling",
    "SavedState",
    "Score",
    "SealError",
    "Session",
    "StateError",
    "Stream",
    "TemplateError",
    "TokenInfo",
    "TrainingError",
    "UnsupportedModelError",
    "WorldError",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            value: Any = version("qingyu")
        except PackageNotFoundError:  # run from a source tree
            value = "0+source"
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'qingyu' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
