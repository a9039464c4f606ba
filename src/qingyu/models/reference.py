"""What a person may type where a model is asked for, and which names are safe.

    parse_hub("hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf")
    parse_hub("Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0.gguf")     # Hugging Face is meant
    parse_hub("ms:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf")  # ModelScope

Names become folders and parts of addresses, so they are lists of allowed characters, not of
forbidden ones: letters, digits, dot, dash, underscore, plus, never `..`.
Knows nothing of the catalogue, the store or the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

Hub = Literal["hf", "ms"]

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART_OF_MANY = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
# Device names that Windows gives a meaning of their own, with any extension.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class HubReference:
    """One GGUF file in one repository of a hub.

    hub: "hf" (Hugging Face) or "ms" (ModelScope); repo: "owner/name"; file: path in it;
    revision: branch, tag or commit, "" for the hub's usual branch.
    """

    hub: Hub
    repo: str
    file: str
    revision: str = ""

    @property
    def text(self) -> str:
        """The reference as a person would type it."""
        return f"{self.hub}:{self.repo}/{self.file}"

    @property
    def store_name(self) -> str:
        """The name it has in the store; the same file has one name whichever hub it is from."""
        return f"{self.repo}/{self.file.removesuffix('.gguf')}".replace("/", "--")


def is_safe_name(text: str) -> bool:
    """Whether text may be the name of a folder or file made here."""
    return (
        _NAME.fullmatch(text) is not None
        and ".." not in text
        and not text.endswith(".")
        and _RESERVED.fullmatch(text) is None
    )


def is_sha256(text: object) -> bool:
    """Whether text is a SHA-256 in lower-case hexadecimal."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def _check(text: str, repo: str, file: str) -> None:
    owner, _, name = repo.partition("/")
    segments = file.split("/")
    safe = (
        all(_SEGMENT.fullmatch(part) and ".." not in part for part in (owner, name))
        and all(map(is_safe_name, segments))
        and len(repo) + len(file) <= 190  # together they are a name in the store
    )
    if not safe:
        raise InvalidRequestError(
            pick(
                f"{text!r} is not a reference to a file on a hub: owner, repository and file are"
                " letters, digits, '.', '-' and '_', as in hf:owner/repo/file.gguf",
                f"{text!r} 不是模型库文件的写法：所有者、仓库和文件名只能由字母、数字、"
                "“.”“-”“_”组成，例如 hf:owner/repo/file.gguf",
            )
        )
    if not file.endswith(".gguf"):
        raise InvalidRequestError(
            pick(
                f"{text!r} names {file!r}, and Qingyu runs .gguf files; name one of the repository",
                f"{text!r} 指的是 {file!r}，而轻语只运行 .gguf 文件；请指定仓库中的一个",
            )
        )
    if _PART_OF_MANY.search(file):
        raise InvalidRequestError(
            pick(
                f"{file!r} is one part of several; Qingyu reads models in one file,"
                " choose a file that is not split",
                f"{file!r} 是分卷文件之一；轻语读取单个文件的模型，请选择未分卷的文件",
            )
        )


def hub_reference(hub: Hub, repo: str, file: str, revision: str = "") -> HubReference:
    """A checked reference. Raises InvalidRequestError for unsafe names and for other files."""
    text = f"{hub}:{repo}/{file}"
    _check(text, repo, file)
    if revision and (_SEGMENT.fullmatch(revision) is None or ".." in revision):
        raise InvalidRequestError(
            pick(f"{revision!r} is not a revision of {text}", f"{revision!r} 不是 {text} 的版本")
        )
    return HubReference(hub=hub, repo=repo, file=file, revision=revision)


def parse_hub(text: str) -> HubReference | None:
    """The hub reference a text is, or None when it is of another kind.

    `hf:owner/repo/file.gguf`, `ms:owner/repo/file.gguf`, `owner/repo:file.gguf` (Hugging Face).
    Raises InvalidRequestError when it is one of these but names nothing safe.
    """
    for hub in ("hf", "ms"):
        if text.startswith(f"{hub}:"):
            rest = text[len(hub) + 1 :]
            if ":" in rest and "/" in rest.partition(":")[0]:  # hf:owner/repo:file.gguf
                repo, _, file = rest.partition(":")
            else:
                owner, _, rest = rest.partition("/")
                name, _, file = rest.partition("/")
                repo = f"{owner}/{name}"
            return hub_reference(hub, repo, file)
    repo, colon, file = text.partition(":")
    if colon and repo.count("/") == 1 and not repo.startswith((".", "/", "~")):
        return hub_reference("hf", repo, file)
    return None
