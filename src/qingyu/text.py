"""Which of two languages people read: English or Chinese.

    from qingyu.text import pick
    print(pick("ready", "就绪"))

Both versions of a sentence stand side by side where they are used. The language is
`QINGYU_LANG`, else the locale (`LC_ALL`, `LC_MESSAGES`, `LANG`), unless `use` was called.
"""

from __future__ import annotations

import os
from typing import Literal

LANGUAGES = ("en", "zh")

_chosen: str | None = None


def use(language: str | None) -> None:
    """Fix the language for this process: "en", "zh", or None for the environment's."""
    global _chosen
    assert language is None or language in LANGUAGES, language
    _chosen = language


def language() -> Literal["en", "zh"]:
    """The language in force."""
    if _chosen is not None:
        return "zh" if _chosen == "zh" else "en"
    for variable in ("QINGYU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def pick(english: str, chinese: str) -> str:
    """The version in the language in force."""
    return chinese if language() == "zh" else english
