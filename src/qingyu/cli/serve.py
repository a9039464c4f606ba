"""`qingyu serve`: a model for programs and browsers on this machine, sealed.

    qingyu serve --model qwen3-0.6b --port 8317
    qingyu serve --unix /run/qingyu.sock --require-seal
    qingyu serve --assist attic_flat                     # and a household to speak to

The order matters: first the socket, then the seal, part of which must come before threads, then
everything that is large to import, then the model: a file from a stranger is read behind the lock.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.serve.home_loading import HomePlan
    from qingyu.serve.service import Engine

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def register(app: typer.Typer) -> None:
    app.command(
        "serve",
        short_help=pick("Serve a model to programs and browsers", "为程序和浏览器提供模型服务"),
        help=pick(
            "Serve a model on this machine: OpenAI's API under /v1, and a web page. The process"
            " locks itself so that it can open no connection. Ctrl-C stops it.",
            "在本机提供模型服务：/v1 下为 OpenAI 接口，另有网页。进程会自我封锁，无法发起任何连接。"
            "按 Ctrl-C 停止。",
        ),
    )(serve)


def serve(
    model: Annotated[str, flags.model()] = "default",
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help=pick("address to listen on", "监听地址"))
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help=pick("port to listen on; 0: a free one", "监听端口；0：任意空闲端口"),
        ),
    ] = 8317,
    unix: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help=pick("listen on a UNIX socket instead", "改为监听 UNIX 套接字"),
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help=pick(
                "file with the token callers must send. Variable: QINGYU_TOKEN",
                "存放调用者须提供的令牌的文件。变量：QINGYU_TOKEN",
            ),
        ),
    ] = None,
    expose: Annotated[
        bool,
        typer.Option(
            "--expose",
            help=pick(
                "allow an address other machines can reach; needs a token",
                "允许其他机器可访问的地址；需要令牌",
            ),
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help=pick("a name this server is called by; may be repeated", "服务器的名称，可重复"),
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            show_default=False,
            help=pick(
                "a web page's origin that may call, as https://a.example; may be repeated",
                "允许调用的网页来源，如 https://a.example，可重复",
            ),
        ),
    ] = None,
    kv_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            show_default=pick(
                "a quarter of what is free, for at most 32,768 tokens",
                "空闲内存的四分之一，至多 32,768 词元",
            ),
            help=pick(
                "memory for texts being read and written, as 512M or 4G",
                "供读写中的文本使用的内存，如 512M 或 4G",
            ),
        ),
    ] = None,
    max_running: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help=pick("most requests computed at once", "同时计算的最多请求数")
        ),
    ] = 16,
    max_waiting: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help=pick("most requests that wait; others get 429", "最多等待的请求数，超出返回 429"),
        ),
    ] = 64,
    draft: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            show_default=False,
            help=pick(
                "a smaller model with the same vocabulary that guesses ahead",
                "词表相同的较小模型，用于预先猜测",
            ),
        ),
    ] = None,
    adapter: Annotated[list[str] | None, flags.adapter()] = None,
    speculation: Annotated[
        bool,
        typer.Option(
            "--speculation/--no-speculation",
            help=pick(
                "guess tokens ahead where it pays; the result is the same",
                "在有利时预先猜测词元；结果不变",
            ),
        ),
    ] = True,
    assist: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            show_default=False,
            help=pick(
                "also a household to speak to, as --world of assist has it",
                "同时提供可对话控制的家庭，取值同 assist 的 --world",
            ),
        ),
    ] = None,
    skill: Annotated[str | None, flags.skill()] = None,
    require_seal: Annotated[
        bool,
        typer.Option(
            "--require-seal",
            help=pick("do not start when no lock holds", "若无法封闭则拒绝启动"),
        ),
    ] = False,
    log_requests: Annotated[
        bool,
        typer.Option(
            "--log-requests",
            help=pick(
                "a line on stderr per request; never what was said",
                "每个请求在标准错误输出一行；从不记录内容",
            ),
        ),
    ] = False,
    context: Annotated[int | None, flags.context()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    template: Annotated[str | None, flags.template()] = None,
) -> None:
    from qingyu.serve.listening import Listener
    from qingyu.serve.settings import ServeSettings

    settings = ServeSettings(
        host=host,
        port=port,
        unix=unix,
        token=read_token(token_file),
        expose=expose,
        allow_hosts=tuple(allow_host or ()),
        allow_origins=tuple(allow_origin or ()),
        log_requests=log_requests,
    )
    kv_bytes = None if kv_memory is None else read_size(kv_memory)
    adapters = common.read_adapters(adapter)
    with Listener.open(settings) as listener, ExitStack() as opened:
        home = plan_home(assist, skill, opened)
        probes = seal_first(
            model,
            draft,
            template,
            unix,
            adapters=adapters.values(),
            home=home,
            require=require_seal,
        )
        from qingyu.serve import loading, seal, server
        from qingyu.serve.service import Service

        service = Service(settings=settings, seal=seal.status().as_dict(), assists=home is not None)
        plan = loading.Plan(
            model=model,
            draft=draft,
            context=context,
            threads=threads,
            template=template,
            kv_bytes=kv_bytes,
            max_running=max_running,
            max_waiting=max_waiting,
            speculation=speculation,
            adapters=adapters,
        )

        def load() -> Engine:
            if home is not None:
                from qingyu.serve.home_loading import open_home

                opened.enter_context(open_home(home, service))
            return loading.load_engine(plan, service)

        def announce() -> None:
            probes(service)
            say_ready(service, listener.url)

        common.notice(
            pick(
                f"loading {model}; listening on {listener.url}",
                f"正在加载 {model}；监听 {listener.url}",
            )
        )
        server.run(listener, service, load=load, announce=announce)


def plan_home(name: str | None, skill: str | None, opened: ExitStack) -> HomePlan | None:
    """What is to be known of a household before the seal; its devices are let go with `opened`.
    Raises InvalidRequestError for a skill model without a household."""
    if name is None:
        if skill is not None:
            raise InvalidRequestError(
                pick(
                    "--skill does nothing without --assist NAME|FILE",
                    "没有 --assist 名称|文件 时 --skill 不起作用",
                )
            )
        return None
    from qingyu.act.skill.model import what_is_missing
    from qingyu.serve import home_loading

    if missing := what_is_missing(skill):
        common.notice(missing)
    plan = home_loading.plan_home(name, skill)
    opened.enter_context(closing(plan.devices))
    return plan


def seal_first(
    model: str,
    draft: str | None,
    template: str | None,
    unix: Path | None,
    *,
    adapters: Iterable[Path] = (),
    home: HomePlan | None = None,
    require: bool,
) -> Any:
    """Seal this process, before threads and large imports. Starts the probes, which need an open
    door to compare with, and returns what puts their table into a service."""
    from qingyu.models.store import ModelStore, locate
    from qingyu.serve import seal
    from qingyu.serve.seal.background import ProbesInBackground

    probes = ProbesInBackground()
    store = ModelStore()
    read = [locate(name) for name in (model, draft) if name is not None]
    if template is not None:
        read.append(Path(template).expanduser())
    read += adapters
    kept: tuple[Path, ...] = ()
    if home is not None:
        read += home.read
        kept = home.write
    seal.prepare(
        read=[*read, store.home],
        # Hashes of files outside the store, a household's records. The models themselves cannot
        # be changed from here.
        write=[store.home / "cache", *kept],
        # The socket's own file, when the server stops.
        remove=[] if unix is None else [unix.absolute().parent],
    )
    found = seal.seal()
    if require:
        seal.require(found)
    return probes.put_into


def read_token(path: Path | None) -> str | None:
    """The token in a file, or QINGYU_TOKEN."""
    if path is None:
        return os.environ.get("QINGYU_TOKEN", "").strip() or None
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            pick(f"cannot read the token in {path}: {error}", f"无法读取 {path} 中的令牌：{error}")
        ) from None


def read_size(text: str) -> int:
    """Bytes, of "512M", "4G" or a plain number. Raises BadParameter."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise typer.BadParameter(
            pick(
                f"{text!r} is no size; write it as 512M or 4G",
                f"{text!r} 不是大小；请写作 512M 或 4G",
            )
        )
    return int(float(found[1]) * _UNITS[found[2].upper()])


def say_ready(service: Any, url: str) -> None:
    """The start-up lines."""
    info = service.model.info
    kv_bytes = info.kv_tokens * info.kv_bytes_per_token
    lines = [
        pick(
            f"{service.name} ({common.human_count(info.parameters)}) is ready at {url}",
            f"{service.name}（{common.human_count(info.parameters)}）已就绪：{url}",
        ),
        pick(
            f"context {info.context:,} tokens; room for {info.kv_tokens:,} in all"
            f" ({common.human_bytes(kv_bytes)}); {info.threads} threads",
            f"上下文 {info.context:,} 词元；总共可容纳 {info.kv_tokens:,}"
            f"（{common.human_bytes(kv_bytes)}）；{info.threads} 线程",
        ),
        service.seal["summary"],
    ]
    if service.model.adapters:
        named = ", ".join(service.model_names[1:])
        lines.insert(1, pick(f"with adapters as {named}", f"带适配器：{named}"))
    if service.settings.unix is None:
        lines.append(
            pick(
                f"web page: {url}   API: {url}/v1   Ctrl-C stops",
                f"网页：{url}   接口：{url}/v1   按 Ctrl-C 停止",
            )
        )
        if service.assists:
            lines.append(pick(f"assistant: {url}/assist", f"助手：{url}/assist"))
    for line in lines:
        print(line, file=sys.stderr, flush=True)
