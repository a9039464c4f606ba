"""Who holds a conversation where nothing is to be done: the contract of a chat model."""

from __future__ import annotations

from typing import Protocol

from qingyu.act.answers import Language


class Chat(Protocol):
    def answer(self, text: str, language: Language) -> str:
        """A reply to somebody's words. Raises QingyuError where none comes."""
        ...
