"""`qingyu models`, `pull`, `verify`, `rm`, `export`, `import`: the models on this machine.

    qingyu models
    qingyu pull qwen3-0.6b
    qingyu export default qwen3-0.6b -o models.qingyu

Each verb also stands below `qingyu models`. The work is done in `qingyu.models`; `export` is in
`qingyu.cli.export`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qingyu.cli import common, export, flags, layout
from qingyu.cli.help import Command, Group
from qingyu.cli.progress import shown_progress
from qingyu.errors import (
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
)
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.catalog import Entry, Source
    from qingyu.models.store import HashOrigin, ModelStore, StoredModel


def register(app: typer.Typer) -> None:
    """Add `models` with its own verbs, and each of them at the top as well."""
    group = typer.Typer(cls=Group, rich_markup_mode=None)
    group.callback(
        invoke_without_command=True,
        help=pick(
            "List the models that are here, and those the catalogue offers.",
            "列出本机已有的模型，以及目录中可获取的模型。",
        ),
    )(models)
    group.command("list", cls=Command, help=pick("the same list", "同样的列表"))(list_models)
    app.add_typer(group, name="models")
    verbs: list[tuple[str, Callable[..., Any], str]] = [
        (
            "pull",
            pull,
            pick(
                "Bring a model to this machine. Goes on where an earlier try stopped.",
                "获取模型到本机。会从上次中断处继续。",
            ),
        ),
        (
            "verify",
            verify,
            pick(
                "Hash models again and compare: ok, damaged or missing.",
                "重新计算模型的哈希并比较：完好、损坏或缺失。",
            ),
        ),
        ("rm", rm, pick("Remove models from this machine.", "从本机删除模型。")),
        (
            "export",
            export.export,
            export.long_help(),
        ),
        (
            "import",
            import_,
            pick("Bring in the models of a bundle.", "导入离线包中的模型。"),
        ),
    ]
    short = {"export": export.short_help()}
    for name, function, text in verbs:
        for place in (group, app):
            place.command(name, cls=Command, help=text, short_help=short.get(name))(function)


def _source_names() -> dict[str, Literal["hf", "ms"]]:
    return {"hf": "hf", "huggingface": "hf", "ms": "ms", "modelscope": "ms"}


def _origin(origin: HashOrigin) -> str:
    """How a stored file's hash is known, in words."""
    return {
        "catalogue": pick("known", "已知"),
        "hub": pick("recorded at first pull, hub agreed", "首次获取时记录，与模型库一致"),
        "first-pull": pick("recorded at first pull", "首次获取时记录"),
        "bundle": pick("from a bundle", "来自离线包"),
    }[origin]


def _state(model: StoredModel) -> str:
    """A word on a stored file from its stamp alone; nothing is hashed for a listing."""
    from qingyu.models.hashes import Stamp

    try:
        unchanged = Stamp.of_path(model.path) == model.manifest.stamp
    except OSError:
        return "missing"
    return "ok" if unchanged else "changed"


def models(context: typer.Context, as_json: Annotated[bool, flags.as_json()] = False) -> None:
    if context.invoked_subcommand is None:
        list_models(as_json)


def list_models(as_json: Annotated[bool, flags.as_json()] = False) -> None:
    from qingyu.models.catalog import catalog
    from qingyu.models.store import ModelStore

    store = ModelStore()
    here = store.list()
    if as_json:
        common.print_json(
            {
                "home": str(store.home),
                "models": [_model_record(model) for model in here],
                "catalogue": [_entry_record(entry, store) for entry in catalog()],
            }
        )
        return
    names = {model.name for model in here}
    print(pick(f"Here, in {store.models}:", f"本机已有（{store.models}）："))
    for line in _here_table(here) or [pick("  nothing yet", "  还没有")]:
        print(line)
    damaged = sorted(set(store.names()) - names)
    for name in damaged:
        common.complain(
            pick(
                f"the manifest of {name} is damaged; remove it with: qingyu rm {name}",
                f"{name} 的清单已损坏；请运行：qingyu rm {name}",
            )
        )
    offered = [entry for entry in catalog() if entry.name not in names]
    if offered:
        print()
        print(pick("To bring with qingyu pull NAME:", "可用 qingyu pull 名称 获取："))
        for line in _offer_table(offered):
            print(line)


def _clip(text: str, columns: int) -> str:
    text = common.printable(text)
    if layout.width(text) <= columns:
        return text
    while layout.width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def _here_table(here: Any) -> list[str]:
    states = {
        "ok": "",
        "changed": pick("changed, run verify", "已变化，请运行 verify"),
        "missing": pick("file is missing", "文件缺失"),
    }
    rows = [
        (
            _clip(model.name, 34),
            common.human_bytes(model.manifest.bytes),
            _clip(states[_state(model)] or _origin(model.manifest.hash_origin), 34),
        )
        for model in here
    ]
    if not rows:
        return []
    head = (pick("name", "名称"), pick("size", "大小"), "SHA-256")
    return ["  " + line for line in layout.table([head, *rows], right=frozenset({1}))]


def _offer_table(entries: list[Entry]) -> list[str]:
    head = (
        pick("name", "名称"),
        pick("params", "参数"),
        pick("type", "类型"),
        pick("size", "大小"),
        pick("lang.", "语言"),
        pick("licence", "许可"),
        pick("from", "来源"),
        "SHA-256",
    )
    rows = [
        (
            entry.name,
            entry.parameters,
            entry.type,
            common.human_bytes(entry.bytes) if entry.bytes else "?",
            " ".join(entry.languages),
            entry.licence,
            " ".join(_hub(source) for source in entry.sources),
            pick("known", "已知")
            if entry.sha256
            else pick("at pull", "获取时记录")
            if entry.confirmed
            else pick("unconfirmed", "未确认"),
        )
        for entry in entries
    ]
    right = frozenset({1, 3})
    lines = ["  " + line for line in layout.table([head, *rows], right=right)]
    notes = [pick("hf Hugging Face, ms ModelScope", "hf 为 Hugging Face，ms 为 ModelScope")]
    if any(not entry.confirmed for entry in entries):
        notes.append(
            pick(
                "unconfirmed: size and hash are recorded at the first pull",
                "未确认：大小和哈希在首次获取时记录",
            )
        )
    return [*lines, *("  " + note for note in notes)]


def _hub(source: Source) -> str:
    return source.text.partition(":")[0]


def _model_record(model: StoredModel) -> dict[str, Any]:
    manifest = model.manifest
    return {
        "name": manifest.name,
        "path": str(model.path),
        "bytes": manifest.bytes,
        "sha256": manifest.sha256,
        "hash_origin": manifest.hash_origin,
        "state": _state(model),
        "source": manifest.source,
        "licence": manifest.licence,
        "added": manifest.added,
    }


def _entry_record(entry: Entry, store: ModelStore) -> dict[str, Any]:
    recorded = None if entry.sha256 else store.recorded_hash(entry.name)
    return {
        "name": entry.name,
        "title": entry.title,
        "aliases": list(entry.aliases),
        "parameters": entry.parameters,
        "type": entry.type,
        "bytes": entry.bytes,
        "sha256": entry.sha256 or recorded,
        "hash_origin": "catalogue" if entry.sha256 else "first-pull" if recorded else None,
        "languages": list(entry.languages),
        "licence": entry.licence,
        "sources": [source.text for source in entry.sources],
        "confirmed": entry.confirmed,
        "here": store.get(entry.name, damaged_is_none=True) is not None,
    }


def pull(
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help=pick(
                "name in the catalogue, or hf:owner/repo/file.gguf, or ms:owner/repo/file.gguf;"
                " ceval and cmmlu bring the questions of those benchmarks",
                "目录中的名称，或 hf:所有者/仓库/文件.gguf，或 ms:所有者/仓库/文件.gguf；"
                "ceval 与 cmmlu 为评测题目",
            ),
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            metavar="hf|modelscope",
            show_default=pick("Hugging Face, then ModelScope", "先 Hugging Face，后 ModelScope"),
            help=pick("only from this hub", "只从此模型库获取"),
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help=pick(
                "never touch the network. Variable: QINGYU_OFFLINE",
                "绝不使用网络。变量：QINGYU_OFFLINE",
            ),
        ),
    ] = False,
) -> None:
    from qingyu.models.pull import pull as pull_model

    hub = None
    if source is not None:
        hub = _source_names().get(source.lower())
        if hub is None:
            raise InvalidRequestError(
                pick(
                    f"--source takes hf or modelscope, not {source!r}",
                    f"--source 只接受 hf 或 modelscope，不是 {source!r}",
                )
            )
    for reference in references:
        if reference in benchmark_names():
            _pull_questions(reference, offline=offline)
            continue
        with shown_progress(reference) as progress:
            model, is_new = pull_model(reference, source=hub, offline=offline, progress=progress)
        size = common.human_bytes(model.manifest.bytes)
        origin = _origin(model.manifest.hash_origin)
        print(
            pick(
                f"{model.name} is here, {size}; SHA-256 {origin}",
                f"{model.name} 已获取，{size}；SHA-256 {origin}",
            )
            if is_new
            else pick(f"{model.name} was here already, {size}", f"{model.name} 已在本机，{size}")
        )


def benchmark_names() -> tuple[str, ...]:
    from qingyu.prove.benchmarks import NAMES

    return NAMES


def _pull_questions(name: str, *, offline: bool) -> None:
    """Bring a benchmark's questions, saying first under which licence."""
    from qingyu.errors import OfflineError
    from qingyu.models.store import home_folder
    from qingyu.prove.benchmarks import find
    from qingyu.prove.fetch import fetch_data, licence_notice

    benchmark = find(name)
    common.notice(licence_notice(benchmark))
    folder = home_folder() / "data" / name
    if (folder / "dev").is_dir():
        print(pick(f"{name} was here already, in {folder}", f"{name} 已在 {folder}"))
        return
    if offline:
        raise OfflineError(
            pick(
                f"{name} is not here, and --offline forbids the network",
                f"本机没有 {name}，而 --offline 禁止联网",
            )
        )
    with shown_progress(name) as progress:
        fetch_data(benchmark, folder.parent, progress=progress)
    print(pick(f"{name} is here, in {folder}", f"{name} 已获取，位于 {folder}"))


def verify(
    references: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            show_default=pick("all", "全部"),
            help=pick("names of models", "模型名称"),
        ),
    ] = None,
) -> int:
    from qingyu.models.store import ModelStore

    store = ModelStore()
    names = references or list(store.names())
    if not names:
        print(pick("there is nothing to verify", "没有可验证的模型"))
    failures = 0
    for name in names:
        try:
            model = store.find(name)
            if model is None:
                store.resolve(name)
                raise InvalidRequestError(
                    pick(
                        f"{name} is a file outside of the store; no hash of it is known",
                        f"{name} 是存储之外的文件；没有它的哈希记录",
                    )
                )
            with shown_progress(model.name) as progress:
                store.verify(model, progress=progress)
        except ModelNotFoundError as error:
            verdict, reason = pick("missing", "缺失"), str(error)
        except (HashMismatchError, ModelFileError) as error:
            verdict, reason = pick("damaged", "损坏"), str(error)
        else:
            print(f"{model.name}: {pick('ok', '完好')} ({_origin(model.manifest.hash_origin)})")
            continue
        failures += 1
        print(f"{name}: {verdict}")
        common.complain(reason)
    return 1 if failures else 0


def rm(
    references: Annotated[
        list[str], typer.Argument(metavar="MODEL", help=pick("names of models", "模型名称"))
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help=pick("do not ask", "不再询问"))] = False,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help=pick(
                "forget the recorded hash too, so that another file may be pulled",
                "同时忘记已记录的哈希，以便获取不同的文件",
            ),
        ),
    ] = False,
) -> int:
    from qingyu.models.store import ModelStore

    store = ModelStore()
    for reference in references:
        name = store.canonical_name(reference)
        model = store.get(name, damaged_is_none=True)
        if model is not None and not yes:
            size = common.human_bytes(model.manifest.bytes)
            if not sys.stdin.isatty():
                raise InvalidRequestError(
                    pick(
                        f"nobody can be asked whether to remove {name}; add --yes",
                        f"无法询问是否删除 {name}；请加上 --yes",
                    )
                )
            question = pick(f"Remove {name} ({size})?", f"删除 {name}（{size}）？")
            if not typer.confirm(question):
                return 1
        freed = store.remove(name, forget=forget)
        print(
            pick(
                f"{name} is gone, {common.human_bytes(freed)} freed",
                f"已删除 {name}，释放 {common.human_bytes(freed)}",
            )
        )
    return 0


def import_(
    bundle: Annotated[
        Path, typer.Argument(metavar="FILE", help=pick("the bundle to read", "要读取的离线包"))
    ],
) -> None:
    from qingyu.models.bundle import import_bundle

    with shown_progress(bundle.name) as progress:
        imported = import_bundle(bundle, progress=progress)
    for model, is_new in imported:
        print(
            pick(f"{model.name} is here", f"{model.name} 已导入")
            if is_new
            else pick(f"{model.name} was here already", f"{model.name} 已在本机")
        )
