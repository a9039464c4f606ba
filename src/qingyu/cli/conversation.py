"""A conversation with a model: the messages, and one answer after the other.

    conversation = Conversation(model, sampling=Sampling(temperature=0.7))
    for piece in conversation.answer("Hello"): ...
    conversation.save(Path("talk.json"))

Nothing is ever dropped from it to make room: when it no longer fits, `answer` raises
ContextFullError and the conversation is as it was. Knows no terminal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model
    from qingyu.engine.results import Result
    from qingyu.engine.sampling import Sampling

ROLES = ("system", "user", "assistant")


class Conversation:
    """`last` is the result of the newest answer, None before the first."""

    def __init__(
        self,
        model: Model,
        *,
        sampling: Sampling,
        system: str | None = None,
        max_tokens: int | None = None,
        adapter: str | None = None,
    ) -> None:
        self.model = model
        self.adapter = adapter
        self.sampling = sampling
        self.max_tokens = max_tokens
        self.system = system
        self.turns: list[dict[str, str]] = []
        self.last: Result | None = None

    @property
    def messages(self) -> list[dict[str, str]]:
        """All messages, the system message first if there is one."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return system + self.turns

    def answer(
        self, text: str, *, progress: Callable[[int, int], None] | None = None
    ) -> Generator[str, None, None]:
        """The model's answer to a message, piece by piece.

        When it is broken off (by closing the iterator, or Ctrl-C), what was said so far stays
        in the conversation. When it fails before the first word, the message is taken back.
        """
        self.turns.append({"role": "user", "content": text})
        said: list[str] = []
        more: dict[str, Any] = {} if self.adapter is None else {"adapter": self.adapter}
        try:
            with self.model.chat(
                list(self.messages),
                sampling=self.sampling,
                max_tokens=self.max_tokens,
                progress=progress,
                **more,
            ) as stream:
                for piece in stream:
                    said.append(piece)
                    yield piece
                self.last = stream.result
                said = [self.last.text]
        finally:
            if said:
                self.turns.append({"role": "assistant", "content": "".join(said)})
            else:
                self.turns.pop()

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.turns.clear()
        self.last = None

    def save(self, path: Path) -> None:
        """Write the messages to a JSON file that only its owner can read.

        Raises InvalidRequestError when it cannot be written.
        """
        document = {"format": "qingyu conversation 1", "messages": self.messages}
        content = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InvalidRequestError(
                pick(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}")
            ) from error

    def load(self, path: Path) -> None:
        """Replace the messages by those of a file that `save` wrote.

        Raises InvalidRequestError when it cannot be read or is something else; the
        conversation is as it was then.
        """
        try:
            messages = checked_messages(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InvalidRequestError(
                pick(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")
            ) from error
        except ValueError as error:
            raise InvalidRequestError(
                pick(
                    f"{path} is not a saved conversation: {error}",
                    f"{path} 不是已保存的对话：{error}",
                )
            ) from error
        self.system = None
        if messages and messages[0]["role"] == "system":
            self.system = messages.pop(0)["content"]
        self.turns = messages
        self.last = None


def checked_messages(document: Any) -> list[dict[str, str]]:
    """The messages of a saved conversation; ValueError when it does not look like one."""
    if not isinstance(document, dict) or document.get("format") != "qingyu conversation 1":
        raise ValueError(pick("its format is unknown", "格式未知"))
    messages = document.get("messages")
    if not isinstance(messages, list):
        raise ValueError(pick("it has no messages", "没有消息"))
    for position, message in enumerate(messages):
        if (
            not isinstance(message, dict)
            or set(message) != {"role", "content"}
            or message["role"] not in ROLES
            or not isinstance(message["content"], str)
            or (message["role"] == "system" and position > 0)
        ):
            raise ValueError(
                pick(f"message {position + 1} is malformed", f"第 {position + 1} 条消息格式不对")
            )
    return messages
