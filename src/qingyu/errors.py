"""Every error a user of Qingyu can meet, in one tree.

    QingyuError
    ├── InvalidRequestError      a parameter has a value it cannot have
    │   └── ConstraintError          a grammar or schema cannot be followed
    ├── ModelNotFoundError       no model of that name, here or in the catalogue
    ├── ModelFileError           a model file is damaged, hostile or inconsistent
    │   └── UnsupportedModelError    sound, but of a family or type Qingyu does not run
    ├── DownloadError            a model could not be brought here
    │   ├── OfflineError             the network is switched off, and the model is not here
    │   ├── DiskSpaceError           not enough room for it
    │   └── HashMismatchError        it arrived, or lies here, with other bytes than recorded
    ├── ContextFullError         the tokens do not fit the context
    ├── OutOfMemoryError         the key-value cache has no page left
    ├── QueueFullError           too many requests wait already
    ├── DeadlineError            a request took longer than it was given
    ├── TemplateError            a chat template is missing, failed, or was stopped
    ├── SealError                the process could not be locked, and should have been
    ├── StateError               a saved sequence is damaged or belongs to another model
    ├── DataError                data to evaluate or train with is missing or damaged
    ├── JournalError             a run's journal or result is damaged or of another run
    ├── EndpointError            a server that was asked for answers gave none
    ├── TrainingError            a training run cannot begin, or cannot go on
    ├── WorldError               a household's file is missing, damaged or says what cannot be
    ├── ActionError              a device cannot do what it was told
    └── RecordsError             the assistant's database is damaged, too new, or cannot be written

A message names the thing, the number and the fix, in English or Chinese
(see `qingyu.text`). Our own bugs are `assert`, never one of these.
"""

from __future__ import annotations

from qingyu.text import pick


class QingyuError(Exception):
    """Base of all errors meant for users."""


class InvalidRequestError(QingyuError, ValueError):
    """A parameter has a value it cannot have. Attribute: param, its name where it is one."""

    def __init__(self, message: str = "", *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class ConstraintError(InvalidRequestError):
    """A grammar or schema is damaged, not supported, or leaves nothing to say."""


class ModelNotFoundError(QingyuError):
    """No model of that name, here or in the catalogue."""


class ModelFileError(QingyuError):
    """A model file is damaged, hostile or inconsistent; nothing of it was used."""


class UnsupportedModelError(ModelFileError):
    """The file is sound, but its family, tokenizer or tensor type is not supported."""


class DownloadError(QingyuError):
    """A model could not be brought here; what arrived is kept for the next try."""


class OfflineError(DownloadError):
    """The network is switched off, and what was asked for is not here."""


class DiskSpaceError(DownloadError):
    """There is not enough free disk for the model."""


class HashMismatchError(DownloadError):
    """A file's bytes are not the recorded ones."""


class ContextFullError(QingyuError):
    """The tokens do not fit the context. Nothing was cut.

    Attributes: prompt, limit and room, all in tokens; room is what is left for the prompt.
    """

    def __init__(self, *, prompt: int, limit: int, room: int) -> None:
        self.prompt = prompt
        self.limit = limit
        self.room = room
        super().__init__(
            pick(
                f"the prompt has {prompt} tokens, but the context of {limit} has room for {room};"
                " shorten it, ask for fewer new tokens, or load the model with a larger context",
                f"提示有 {prompt} 个词元，而 {limit} 的上下文只剩 {room} 的空间；"
                "请缩短提示、减少要生成的词元，或用更大的上下文加载模型",
            )
        )


class OutOfMemoryError(QingyuError, MemoryError):
    """The key-value cache has no page left for the tokens asked for."""


class QueueFullError(QingyuError):
    """Too many requests wait already. Attributes: waiting, limit; retry_after in seconds."""

    def __init__(self, *, waiting: int, limit: int, retry_after: int) -> None:
        self.waiting = waiting
        self.limit = limit
        self.retry_after = retry_after
        super().__init__(
            pick(
                f"{waiting} requests are waiting, and the queue holds {limit};"
                f" try again in {retry_after} s",
                f"已有 {waiting} 个请求在等待，队列上限为 {limit}；请在 {retry_after} 秒后重试",
            )
        )


class DeadlineError(QingyuError):
    """A request took longer than it was given. Attribute: seconds it was given."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            pick(
                f"the request was not finished after {seconds:g} s and was ended;"
                " ask for fewer tokens, or give it more time",
                f"请求在 {seconds:g} 秒后仍未完成，已被终止；请减少词元数或放宽时限",
            )
        )


class TemplateError(QingyuError):
    """A chat template is missing, failed, or exceeded its time or size."""


class SealError(QingyuError):
    """The process could not be locked against connections, and was told that it must be."""


class StateError(QingyuError):
    """A saved sequence is damaged or belongs to another model."""


class DataError(QingyuError):
    """Questions of a benchmark or data to train with are missing, damaged or not usable."""


class JournalError(QingyuError):
    """A journal or result file is damaged, or belongs to another run than the one asked for."""


class EndpointError(QingyuError):
    """A server that was asked for answers could not be reached or gave none."""


class TrainingError(QingyuError):
    """A training run cannot begin or go on; its checkpoints are intact."""


class WorldError(QingyuError):
    """A household's file, or a saved state of one, is missing, damaged or says what cannot be."""


class ActionError(QingyuError):
    """A device cannot do what it was told; nothing was changed."""


class RecordsError(QingyuError):
    """The assistant's database is damaged, of a newer version, or cannot be read or written."""
