"""One question to an OpenAI-compatible server: the pace, the retries, and what an error means.

    client = Client(url="http://127.0.0.1:8000/v1", key=None)
    client.post("/chat/completions", {...})                # the decoded answer

Tried again, with pauses that double: connections that break, timeouts, and the answers 408, 409,
425, 429 and 5xx (Retry-After holds for everybody who asks here). Anything else is an
EndpointError that names it. Redirects are never followed: what is sent, and the key, stay with
the server that was named. The key is in no message.
"""

from __future__ import annotations

import email.utils
import json
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qingyu.errors import EndpointError, InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    import httpx

KEY_VARIABLE = "QINGYU_ENDPOINT_KEY"
_TRANSIENT = (408, 409, 425, 429)
# A limit that no waiting lifts.
_SPENT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window)|maximum context|too many tokens|prompt is too long"
    r"|longer than the maximum|exceed\w* .{0,60}context|上下文",
    re.IGNORECASE,
)
# An answer of ours has at most some ten thousand tokens.
_MAX_BYTES = 16 << 20
# Seconds: the longest pause of our own, and the longest a server may ask for.
_LONGEST_PAUSE = 60.0
_LONGEST_WAIT = 900.0


class RefusedError(EndpointError):
    """The server said no. Attributes: status; reason, its own words; too_long, whether the
    prompt does not fit its context."""

    def __init__(self, message: str, *, status: int, reason: str, too_long: bool) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.too_long = too_long


class StoppedError(EndpointError):
    """Asking was stopped from here."""


def base_url(url: str) -> str:
    """The address below which /chat/completions lies: without that, and with /v1 when there is
    no path at all. Raises InvalidRequestError unless it is a plain http or https address."""
    problem = ("it is no address", "不是地址")
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        raise _bad_url(url, *problem) from None
    if parts.username is not None or parts.password is not None:
        # Not shown: it may hold the password.
        raise InvalidRequestError(
            pick(
                f"the endpoint's address holds a user or password; put the key in {KEY_VARIABLE}",
                f"端点地址中含有用户名或密码；请把密钥放入 {KEY_VARIABLE}",
            )
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _bad_url(
            url, "it must begin with http:// or https://", "须以 http:// 或 https:// 开头"
        )
    if parts.query or parts.fragment:
        raise _bad_url(url, "it may have no ? or #", "不能带 ? 或 #")
    path = re.sub(r"/(?:chat/)?completions$", "", parts.path.rstrip("/"))
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def _bad_url(url: str, english: str, chinese: str) -> InvalidRequestError:
    return InvalidRequestError(
        pick(
            f"the endpoint {url[:200]!r}: {english}; an example is http://127.0.0.1:8000/v1",
            f"端点 {url[:200]!r}：{chinese}；例如 http://127.0.0.1:8000/v1",
        )
    )


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(?:\.\d+){3}", host))


def find_key(url: str) -> str | None:
    """The key for a server: $QINGYU_ENDPOINT_KEY; else $OPENAI_API_KEY, when the server is
    OpenAI's or the one of $OPENAI_BASE_URL, so that it is shown to nobody else.

    Raises InvalidRequestError when it has characters a header cannot have.
    """
    name, key = KEY_VARIABLE, os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        host = urlsplit(url).hostname or ""
        own = urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname
        if host == "openai.com" or host.endswith(".openai.com") or host == own:
            name, key = "OPENAI_API_KEY", os.environ.get("OPENAI_API_KEY", "").strip()
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        raise InvalidRequestError(
            pick(
                f"${name} has characters no key has (spaces, line ends, not ASCII)",
                f"${name} 中有密钥不应有的字符（空格、换行或非 ASCII）",
            )
        )
    return key or None


class Client:
    """See the module. For several threads at once."""

    def __init__(
        self,
        *,
        url: str,
        key: str | None,
        rate: float | None = None,
        retries: int = 6,
        timeout: float = 300.0,
        backoff: float = 1.0,
        connections: int = 4,
    ) -> None:
        """url: of `base_url`. rate: requests per minute, retries among them. retries: after the
        first try. timeout: seconds without a byte. backoff: seconds of the first pause."""
        import httpx

        self.url = url
        self._key = key
        self._retries = retries
        self._backoff = backoff
        self._pace = _Pace(rate)
        self._stopped = threading.Event()
        # Whether anybody is there: else a mistyped address would be tried for minutes.
        self._answered = False
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=timeout,
            follow_redirects=False,
            trust_env=not is_loopback(url),
            limits=httpx.Limits(max_connections=connections),
        )

    def stop(self) -> None:
        """Nobody waits any longer or tries again: those raise StoppedError."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connections; no request may be under way."""
        self._client.close()

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question, decoded. Raises EndpointError; RefusedError for an answer
        that is an error."""
        import httpx

        for tries in range(1, self._retries + 2):
            self._pace.wait(self._stopped)
            after: float | None = None
            try:
                response, content = self._send(path, body)
            except httpx.TimeoutException as error:
                failure = self._failed(error)
            except (httpx.TransportError, httpx.DecodingError) as error:
                failure = self._failed(error)
                if not self._answered and isinstance(error, httpx.ConnectError):
                    raise failure from None
            except (httpx.InvalidURL, httpx.RequestError) as error:
                raise self._failed(error) from None
            else:
                self._answered = True
                if response.status_code == 200:
                    return self._decoded(content)
                failure = self._refusal(path, response, content, str(body.get("model", "")))
                if not _is_transient(response, failure):
                    raise failure
                after = _retry_after(response.headers.get("retry-after"))
            if tries > self._retries:
                break
            pause = min(self._backoff * 2 ** (tries - 1), _LONGEST_PAUSE)
            pause *= random.uniform(0.75, 1.25)
            if after is not None:
                if after > _LONGEST_WAIT:
                    raise EndpointError(
                        pick(
                            f"{failure}; it asks to wait {after:.0f} s: run it again then,"
                            " and it goes on where it was",
                            f"{failure}；它要求等待 {after:.0f} 秒：届时再运行，会从原处继续",
                        )
                    ) from None
                pause = max(after, 0.0) * 1.02
                self._pace.pause(pause)
            if self._stopped.wait(pause):
                raise _stopped()
        raise EndpointError(
            pick(
                f"{failure}; given up after {self._retries + 1} tries. What was answered is kept:"
                " run it again to go on",
                f"{failure}；尝试 {self._retries + 1} 次后放弃。已有的答案已保存：再次运行即可继续",
            )
        ) from None

    def _send(self, path: str, body: Mapping[str, Any]) -> tuple[httpx.Response, bytes]:
        with self._client.stream("POST", self.url + path, json=dict(body)) as response:
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > _MAX_BYTES:
                    raise EndpointError(
                        pick(
                            f"{self.url}: an answer of more than {_MAX_BYTES >> 20} MiB; refused",
                            f"{self.url}：回答超过 {_MAX_BYTES >> 20} MiB，已拒绝",
                        )
                    )
        return response, bytes(content)

    def _decoded(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise EndpointError(
                pick(
                    f"{self.url} does not answer in JSON; is this the address of an"
                    " OpenAI-compatible API, with its /v1?",
                    f"{self.url} 的回答不是 JSON；这是 OpenAI 兼容接口的地址（含 /v1）吗？",
                )
            )
        return answer

    def _failed(self, error: Exception) -> EndpointError:
        # By name alone: what it says may hold the request's header.
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
        kind = kind.removesuffix(" error")
        return EndpointError(
            pick(f"{self.url} gives no answer ({kind})", f"{self.url} 没有回答（{kind}）")
        )

    def _refusal(
        self, path: str, response: httpx.Response, content: bytes, model: str
    ) -> RefusedError:
        status = response.status_code
        reason, code = _reason(content, self._key)
        too_long = status in (400, 413, 422) and bool(
            code in ("context_length_exceeded", "exceed_context_size_error")
            or _TOO_LONG.search(reason)
        )
        english, chinese = _explained(status, path, model, too_long, code in _SPENT)
        said = f": {reason}" if reason else ""
        message = pick(
            f"{self.url} answers {status}, {english}{said}",
            f"{self.url} 返回 {status}，{chinese}{said}",
        )
        return RefusedError(message, status=status, reason=f"{code} {reason}", too_long=too_long)


def _explained(status: int, path: str, model: str, too_long: bool, spent: bool) -> tuple[str, str]:
    """What a status means, in both languages."""
    if too_long:
        return "the prompt does not fit its context", "提示超出其上下文"
    if spent:
        return "the account has nothing left", "账户额度已用尽"
    if 300 <= status < 400:
        return (
            "a redirect, which is not followed; give the address it leads to",
            "重定向（不会跟随）；请直接给出目标地址",
        )
    if status in (401, 403):
        return (
            f"it wants a key, or another one; set {KEY_VARIABLE}",
            f"需要密钥或密钥不对；请设置 {KEY_VARIABLE}",
        )
    if status in (404, 405):
        return (
            f"it has no {path}, or knows no model {model!r}",
            f"没有 {path}，或不认识模型 {model!r}",
        )
    if status == 429:
        return "too many requests", "请求过多"
    if status >= 500:
        return "it failed", "服务器出错"
    return "it refuses", "拒绝了请求"


def _reason(content: bytes, key: str | None) -> tuple[str, str]:
    """What the server says, for people, and its code for it; "" where there is none. A server
    may say the key, this does not."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    code = ""
    for _ in range(2):
        if not isinstance(found, dict):
            break
        code = str(found.get("code") or "")
        code = code if code and not code.isdigit() else str(found.get("type") or "")
        found = found.get("error") or found.get("message") or found.get("detail") or ""
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    if key:
        text, code = text.replace(key, "…"), code.replace(key, "…")
    text = "".join(one if one.isprintable() else " " for one in text)
    return text[:300], code[:80]


def _is_transient(response: httpx.Response, failure: RefusedError) -> bool:
    if response.headers.get("x-should-retry", "").lower() == "false":
        return False
    if failure.reason.split(" ", 1)[0] in _SPENT:
        return False
    return failure.status in _TRANSIENT or (failure.status >= 500 and failure.status != 501)


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, in seconds or as a date."""
    if not text:
        return None
    try:
        return max(0.0, float(text)) if float(text) < 1e9 else 1e9
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None


def _stopped() -> StoppedError:
    return StoppedError(pick("stopped", "已停止"))


class _Pace:
    """Lets requests through at so many a minute, evenly, and none during a pause."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 0.0 if rate is None else 60.0 / rate
        self._next = 0.0
        self._paused = 0.0
        self._guard = threading.Lock()

    def pause(self, seconds: float) -> None:
        with self._guard:
            self._paused = max(self._paused, time.monotonic() + seconds)

    def wait(self, stopped: threading.Event) -> None:
        """Returns when it is one's turn; raises StoppedError."""
        with self._guard:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._gap
        while not stopped.is_set():
            with self._guard:
                left = max(turn, self._paused) - time.monotonic()
            if left <= 0:
                return
            stopped.wait(left)
        raise _stopped()
