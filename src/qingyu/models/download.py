"""One file over HTTP into a `.part` file, resumed after a cut.

    fetched = fetch(url, Path("model.gguf.part"), settings=DownloadSettings())

A `.part` file is resumed only when the server shows that the file is the same one: the ETag is
kept beside it (`.part.json`) and sent as If-Range. Redirects are followed by hand, to http and
https only, never from https to http, and never with the token to another server. Nothing the
server says names a file here. Proxies and certificates come from the environment, as httpx
reads it. Hashes and final names are the caller's business (`pull.py`).
"""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu.errors import DiskSpaceError, DownloadError, HashMismatchError
from qingyu.models.hashes import Progress, no_progress, read_json, write_atomically
from qingyu.models.reference import is_sha256
from qingyu.models.web import (
    Reply,
    TransientError,
    ask,
    content_range,
    number,
    refuse_status,
    shown,
    strong_etag,
)
from qingyu.text import pick

if TYPE_CHECKING:
    import httpx


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of a folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, kw_only=True)
class DownloadSettings:
    """How patient a download is.

    attempts: tries without getting any further before giving up, `connect_attempts` when no
    server answers; the first wait lasts `backoff` seconds, each next one twice as long, none
    longer than `longest_wait`. Times in seconds, sizes in bytes. The last two fields are how it
    waits and how it asks for free disk.
    """

    attempts: int = 6
    connect_attempts: int = 2
    backoff: float = 1.0
    longest_wait: float = 30.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    redirects: int = 10
    spare_disk: int = 64 << 20
    wait: Callable[[float], None] = time.sleep
    free_disk: Callable[[Path], int] = free_disk


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A whole file lies in the part file.

    advertised_sha256: what the hub says the file hashes to, None when it says nothing.
    """

    bytes: int
    advertised_sha256: str | None
    url: str


@dataclass
class _PartState:
    """What is known of a file that is partly here; kept beside it."""

    url: str
    etag: str = ""  # of the server that sends the bytes; strong, or empty
    linked: str = ""  # the hub's name for the content, before it redirected
    total: int | None = None


def _sidecar(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    """Forget a partial download."""
    part.unlink(missing_ok=True)
    _sidecar(part).unlink(missing_ok=True)


def _load_state(part: Path, url: str) -> _PartState | None:
    fields = read_json(_sidecar(part))
    try:
        state = _PartState(**fields)
    except TypeError:
        return None
    sound = isinstance(state.etag, str) and isinstance(state.linked, str)
    return state if sound and state.url == url else None


def _wrong_size(url: str, got: int, expected: int) -> HashMismatchError:
    return HashMismatchError(
        pick(
            f"{shown(url)} has {got:,} bytes, and {expected:,} are expected; it is not that file",
            f"{shown(url)} 有 {got:,} 字节，而应为 {expected:,} 字节；不是所需的文件",
        )
    )


def check_disk(folder: Path, needed: int, settings: DownloadSettings) -> None:
    """Raise DiskSpaceError when `needed` bytes and a little more do not fit into a folder."""
    free = settings.free_disk(folder)
    if free < needed + settings.spare_disk:
        raise DiskSpaceError(
            pick(
                f"{needed:,} bytes are needed in {folder} and {free:,} are free;"
                " make room, or set QINGYU_HOME to a folder on a larger disk",
                f"{folder} 需要 {needed:,} 字节，只剩 {free:,} 字节；"
                "请腾出空间，或将 QINGYU_HOME 设为更大磁盘上的文件夹",
            )
        )


class _Download:
    """The tries of one download."""

    def __init__(
        self,
        url: str,
        part: Path,
        *,
        headers: dict[str, str],
        expected_bytes: int | None,
        expected_sha256: str | None,
        etag_is_hash: bool,
        settings: DownloadSettings,
        progress: Progress,
    ) -> None:
        self.url = url
        self.part = part
        self.headers = {"Accept-Encoding": "identity", "User-Agent": "qingyu", **headers}
        self.expected_bytes = expected_bytes
        self.expected_sha256 = expected_sha256
        self.etag_is_hash = etag_is_hash
        self.settings = settings
        self.progress = progress
        self.state = _load_state(part, url)
        self.advertised: str | None = None

    def have(self) -> int:
        """Bytes here that may be kept: none when nothing tells which file they are from."""
        if self.state is None or not (self.state.etag or self.expected_sha256):
            return 0
        return self.part.stat().st_size if self.part.is_file() else 0

    def once(self, client: httpx.Client) -> Fetched:
        """One try. Raises TransientError when another may get further."""
        import httpx

        have = self.have()
        headers = dict(self.headers)
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.state is not None and self.state.etag:
                headers["If-Range"] = self.state.etag
        try:
            with ask(client, self.url, headers, self.settings.redirects) as reply:
                return self._receive(reply, have)
        except (httpx.TransportError, httpx.StreamError) as error:
            answered = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            reason = str(error) or type(error).__name__
            raise TransientError(reason, answered=answered) from error
        except httpx.InvalidURL as error:
            raise DownloadError(
                pick(f"not an address: {error}", f"不是有效的地址：{error}")
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                check_disk(self.part.parent, 1 << 62, self.settings)
            raise DownloadError(
                pick(
                    f"cannot write {self.part}: {error.strerror}",
                    f"无法写入 {self.part}：{error.strerror}",
                )
            ) from error

    def _receive(self, reply: Reply, have: int) -> Fetched:
        response = reply.response
        status = response.status_code
        # A part that the hub now knows under another name is a part of another file.
        changed = bool(
            have
            and self.state is not None
            and self.state.linked
            and reply.linked
            and self.state.linked != reply.linked
        )
        if status == 206 and self.state is not None and self.state.etag:
            changed |= response.headers.get("etag", self.state.etag) != self.state.etag
        if status == 416 and not changed and have:
            # Nothing is missing: an earlier try ended between the last byte and the check.
            if response.headers.get("content-range") == f"bytes */{have}":
                self._check_promises(reply, have)
                return self._whole(response)
            changed = True
        if status == 416 or (status == 206 and changed):
            discard(self.part)
            self.state = None
            raise TransientError("the file changed on the server", 0.0)
        start, total = 0, number(response.headers.get("content-length"))
        if status == 206:
            span = content_range(response.headers.get("content-range"))
            if span is None or span[0] != have:
                discard(self.part)
                self.state = None
                raise TransientError("the server sent another range than asked for", 0.0)
            start, total = have, span[1]
        elif status != 200:
            refuse_status(status, str(response.url), response.headers.get("retry-after"))
        if response.headers.get("content-encoding", "identity") != "identity":
            raise DownloadError(
                pick(
                    f"{shown(self.url)}: the server compressed the file, which was not asked for",
                    f"{shown(self.url)}：服务器压缩了文件，但并未请求压缩",
                )
            )
        self._check_promises(reply, total)
        self.state = _PartState(
            url=self.url,
            etag=strong_etag(response.headers.get("etag")),
            linked=reply.linked,
            total=total,
        )
        limit = total if total is not None else self.expected_bytes
        if limit is not None:
            check_disk(self.part.parent, limit - start, self.settings)
        self._write(response, start, limit)
        return self._whole(response)

    def _whole(self, response: httpx.Response) -> Fetched:
        return Fetched(
            bytes=self.part.stat().st_size,
            advertised_sha256=self.advertised,
            url=shown(str(response.url)),
        )

    def _check_promises(self, reply: Reply, total: int | None) -> None:
        """Refuse before the body what the headers already show to be another file."""
        name = reply.linked or (reply.response.headers.get("etag", "") if self.etag_is_hash else "")
        name = name.removeprefix("W/").strip('"').lower()
        self.advertised = name if is_sha256(name) else None
        for size in (total, reply.linked_size):
            if size is not None and self.expected_bytes not in (None, size):
                assert self.expected_bytes is not None
                raise _wrong_size(self.url, size, self.expected_bytes)
        if total is not None and reply.linked_size not in (None, total):
            assert reply.linked_size is not None
            raise _wrong_size(self.url, total, reply.linked_size)
        if self.advertised and self.expected_sha256 not in (None, self.advertised):
            raise HashMismatchError(
                pick(
                    f"{shown(self.url)} now holds another file than recorded: SHA-256"
                    f" {self.advertised}, recorded {self.expected_sha256}",
                    f"{shown(self.url)} 现在的文件与记录不同：SHA-256 为 {self.advertised}，"
                    f"记录为 {self.expected_sha256}",
                )
            )

    def _write(self, response: httpx.Response, start: int, limit: int | None) -> None:
        assert self.state is not None
        if start == 0:
            self.part.unlink(missing_ok=True)
        write_atomically(_sidecar(self.part), json.dumps(asdict(self.state)))
        done = start
        self.progress("download", done, limit)
        with self.part.open("ab" if start else "wb") as file:
            for block in response.iter_raw():
                if limit is not None and done + len(block) > limit:
                    raise _wrong_size(self.url, done + len(block), limit)
                file.write(block)
                done += len(block)
                self.progress("download", done, limit)
        if limit is not None and done < limit:
            raise TransientError(f"the connection ended at {done:,} of {limit:,} bytes")


def fetch(
    url: str,
    part: Path,
    *,
    headers: dict[str, str] | None = None,
    expected_bytes: int | None = None,
    expected_sha256: str | None = None,
    etag_is_hash: bool = False,
    settings: DownloadSettings | None = None,
    progress: Progress = no_progress,
) -> Fetched:
    """Bring the file at `url` into `part`, going on where an earlier try stopped.

    etag_is_hash: the server names files by SHA-256 in its ETag, as Hugging Face does.
    expected_sha256 is compared with what the hub advertises, not with the bytes.
    Raises DownloadError (no such file, not allowed, too many failed tries), DiskSpaceError,
    HashMismatchError (size or advertised hash are not the expected ones). On a cut, on too many
    failed tries and on Ctrl-C the part stays for the next call.
    """
    import httpx

    settings = settings or DownloadSettings()
    part.parent.mkdir(parents=True, exist_ok=True)
    download = _Download(
        url,
        part,
        headers=headers or {},
        expected_bytes=expected_bytes,
        expected_sha256=expected_sha256,
        etag_is_hash=etag_is_hash,
        settings=settings,
        progress=progress,
    )
    timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
    furthest, failures = 0, 0
    try:
        client = httpx.Client(timeout=timeout, follow_redirects=False)
    except (ImportError, ValueError) as error:  # a proxy of a kind that httpx cannot use
        raise DownloadError(
            pick(f"the proxy settings cannot be used: {error}", f"代理设置无法使用：{error}")
        ) from error
    with client:
        while True:
            try:
                return download.once(client)
            except TransientError as error:
                have = download.have()
                # A try that got further than any before starts the count anew, so a long
                # download over a bad line ends, and one that never gets further does too.
                failures = failures + 1 if have <= furthest else 1
                furthest = max(furthest, have)
                allowed = settings.attempts if error.answered else settings.connect_attempts
                if failures >= allowed:
                    raise DownloadError(
                        pick(
                            f"{shown(url)}: {error}; gave up after {failures} tries."
                            f" {have:,} bytes are kept, run the same command to go on",
                            f"{shown(url)}：{error}；尝试 {failures} 次后放弃。"
                            f"已保留 {have:,} 字节，重新运行同一命令即可继续",
                        )
                    ) from error
                waiting = settings.backoff * 2 ** (failures - 1)
                if error.after is not None:
                    waiting = error.after
                settings.wait(min(waiting, settings.longest_wait))
