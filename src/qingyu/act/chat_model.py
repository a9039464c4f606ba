"""Conversation where nothing is to be done: a chat model of the engine behind `talk.Chat`.

    chat = ModelChat(qingyu.load("default"))
    Assistant(world, devices, database, chat=chat)

It is told nothing of the household and can do nothing there: it only talks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qingyu.act.answers import Language
from qingyu.errors import ContextFullError

if TYPE_CHECKING:
    from qingyu.engine.model import Model
    from qingyu.engine.sampling import Sampling

_SYSTEM = {
    "zh": "你是家里的语音助手，用一两句话友好地聊天。不要声称你控制了任何设备。",
    "en": "You are a home's voice assistant. Chat kindly, in one or two sentences. Never claim to"
    " have controlled a device.",
}
_REMEMBERED = 6
"""Messages before this one that it sees: three exchanges."""


class ModelChat:
    """max_tokens: of a reply. model: None where a subclass has its own `generate`."""

    def __init__(self, model: Model | None, *, max_tokens: int = 120) -> None:
        self._model, self.max_tokens = model, max_tokens
        self._turns: list[dict[str, str]] = []

    @property
    def sampling(self) -> Sampling:
        from qingyu.engine.sampling import Sampling

        return Sampling(temperature=0.7, top_p=0.9, repetition_penalty=1.05)

    def answer(self, text: str, language: Language) -> str:
        """Raises QingyuError of the engine; a context that is full is emptied first."""
        try:
            said = self._said([*self._turns, _message("user", text)], language)
        except ContextFullError:
            self._turns.clear()
            said = self._said([_message("user", text)], language)
        self._turns += [_message("user", text), _message("assistant", said)]
        del self._turns[:-_REMEMBERED]
        return said

    def _said(self, messages: list[dict[str, str]], language: Language) -> str:
        return self.generate([_message("system", _SYSTEM[language]), *messages]).strip()

    def generate(self, messages: Sequence[dict[str, str]]) -> str:
        """The next message of a conversation. Raises QingyuError of the engine."""
        assert self._model is not None
        with self._model.chat(
            messages, sampling=self.sampling, max_tokens=self.max_tokens
        ) as stream:
            return "".join(stream)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
