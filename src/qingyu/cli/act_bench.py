"""`qingyu act-bench`: how much of what people say is done right, and what is done wrong.

    qingyu act-bench --system fast --split dev --language zh
    qingyu act-bench --compare act-bench/test-fast --compare act-bench/test-assistant

Delegates to `qingyu.act.bench`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu.cli import common, flags, layout
from qingyu.cli.progress import shown_questions
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.act.bench.running import Selection
    from qingyu.act.bench.systems import System
    from qingyu.prove.report_tables import Table

SYSTEMS = ("fast", "assistant", "model", "endpoint")
_MOST_QUOTED = 3


def register(app: typer.Typer) -> None:
    app.command(
        "act-bench",
        short_help=pick("How well an assistant acts", "测一测助手做得对不对"),
        help=pick(
            "Say the benchmark's sentences to an assistant, in Chinese and English, and judge it by"
            " the state the household is in afterwards. --system fast is the template path alone,"
            " assistant the whole one, model any chat model with a tool prompt, endpoint any"
            " OpenAI-compatible server. Every answer is kept as it comes: a run that was stopped"
            " goes on where it was. Your own household and cases: --world and --cases.",
            "对助手说出基准中的中英文句子，按之后家中的状态判定对错。--system fast 只用模板，"
            "assistant 为完整助手，model 为任意对话模型加工具提示，"
            "endpoint 为任意 OpenAI 兼容服务。答案随时保存：中断后再次运行会从原处继续。"
            "自己的家庭与用例：--world 与 --cases。",
        ),
    )(act_bench)


def act_bench(
    system: Annotated[
        str,
        typer.Option(metavar="|".join(SYSTEMS), help=pick("who is asked", "测试谁")),
    ] = "assistant",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="dev|test",
            show_default="dev",
            help=pick("which cases; tune on dev only", "哪部分用例；调整时只可使用 dev"),
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            metavar="zh|en",
            show_default=pick("both", "两种"),
            help=pick("only cases in this language", "只用这种语言的用例"),
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            show_default=pick("all", "全部"),
            help=pick("categories, with commas: plain,wish", "类别，以逗号分隔：plain,wish"),
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default=pick("all", "全部"),
            help=pick(
                "only the first cases of each category and language", "每个类别和语言只取前几例"
            ),
        ),
    ] = None,
    model: Annotated[str, flags.model()] = "default",
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default=False,
            help=pick(
                "the server of --system endpoint; --model is the name it knows. The key is"
                " $QINGYU_ENDPOINT_KEY or $OPENAI_API_KEY",
                "--system endpoint 的服务地址；--model 为它所用的名称。"
                "密钥取 $QINGYU_ENDPOINT_KEY 或 $OPENAI_API_KEY",
            ),
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="N",
            show_default=pick("no limit", "不限"),
            help=pick("requests per minute to the server", "每分钟向服务发出的请求数"),
        ),
    ] = None,
    world: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help=pick("a household of your own", "自己的家庭文件"),
        ),
    ] = None,
    cases: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help=pick(
                "cases of it, WORLD.LANGUAGE.yaml; may be repeated",
                "它的用例文件（家庭.语言.yaml），可重复",
            ),
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            show_default=False,
            help=pick(
                "ask nobody: set results of the same cases side by side; repeat it",
                "不提问：并列比较相同用例的结果；重复给出",
            ),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=pick("act-bench/… by what is asked", "act-bench/…，按所测内容命名"),
            help=pick("folder for journal, result and tables", "日志、结果与表格的文件夹"),
        ),
    ] = None,
    max_tokens: Annotated[
        int,
        typer.Option(
            min=16,
            metavar="N",
            help=pick("most tokens a model writes at a time", "模型每次最多写的词元数"),
        ),
    ] = 768,
    skill: Annotated[str | None, flags.skill()] = None,
    context: Annotated[int | None, flags.context()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    restart: Annotated[bool, flags.restart()] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    if compare:
        _compare(compare, out or Path("act-bench") / "compared", as_json=as_json)
        return
    from qingyu.act.bench import reports, running, tables

    selection = _selection(split, language, category, limit, world, cases)
    with _opened(
        system,
        model=model,
        endpoint=endpoint,
        rate=rate,
        max_tokens=max_tokens,
        context=context,
        threads=threads,
        skill=skill,
    ) as asked:
        folder = out or Path("act-bench") / _folder_name(selection, asked)
        if restart:
            running.forget(folder)
        try:
            with shown_questions("act-bench") as progress:
                result = running.run(selection, asked, folder, progress=progress)
        except KeyboardInterrupt:
            common.notice(
                pick(
                    f"stopped; the answers so far are in {folder}, and the same command goes on",
                    f"已停止；已有的答案在 {folder}，再次运行同一命令即可继续",
                )
            )
            raise
    reports.write_report(result, folder)
    if as_json:
        record = result.as_json()
        del record["answers"]
        common.print_json({**record, "folder": str(folder)})
        return
    for table in tables.of_result(result):
        print("\n".join([*_shown(table), ""]))
    # What people must not tune on is not put before their eyes.
    if world is not None or split != "test":
        for one in result.failures[:_MOST_QUOTED]:
            lines = [one.case.id, *(f"  {' '.join(line.split())}" for line in tables.quoted(one))]
            print(common.printable("\n".join([*lines, ""])))
    print(
        pick(
            f"{len(result.failures)} failures, the worst quoted in {folder / 'failures.md'};"
            " tables and a picture beside it",
            f"{len(result.failures)} 个失败，最严重的见 {folder / 'failures.md'}；"
            "表格与图片在同一文件夹",
        )
    )


def _compare(paths: Sequence[Path], folder: Path, *, as_json: bool) -> None:
    from qingyu.act.bench import reports, results, tables

    found = results.summaries(paths)
    reports.write_comparison(found, folder)
    if as_json:
        listed = [{"system": dict(one.system), "scores": one.scores.as_json()} for one in found]
        common.print_json({"results": listed, "folder": str(folder)})
        return
    for table in tables.of_several(found):
        print("\n".join([*_shown(table), ""]))
    print(pick(f"written to {folder}", f"已写入 {folder}"))


def _shown(table: Table) -> list[str]:
    right = frozenset() if table.words else frozenset(range(1, len(table.head)))
    lines = [table.title, "", *layout.table([table.head, *table.rows], right=right)]
    note = layout.wrap(table.note, 100) if table.note else []
    return [common.printable(line) for line in [*lines, *note]]


def _selection(
    split: str | None,
    language: str | None,
    category: str | None,
    limit: int | None,
    world: Path | None,
    cases: Sequence[Path] | None,
) -> Selection:
    from qingyu.act.bench.cases import LANGUAGES
    from qingyu.act.bench.running import Selection

    languages = [one for one in LANGUAGES if language in (None, one)]
    if not languages:
        raise typer.BadParameter(
            pick(
                f"--language is zh or en, not {language!r}",
                f"--language 为 zh 或 en，不是 {language!r}",
            )
        )
    categories = [one.strip() for one in (category or "").split(",") if one.strip()]
    if (world is None) != (not cases):
        raise typer.BadParameter(
            pick("--world and --cases go together", "--world 与 --cases 须同时给出")
        )
    if world is not None and cases:
        if split is not None:
            raise typer.BadParameter(
                pick("--split is of the benchmark's own cases", "--split 只用于基准自带的用例")
            )
        return Selection.of_files(
            world, cases, languages=languages, categories=categories, limit=limit
        )
    if split not in (None, "dev", "test"):
        raise typer.BadParameter(
            pick(
                f"--split is dev or test, not {split!r}", f"--split 为 dev 或 test，不是 {split!r}"
            )
        )
    return Selection.of_split(
        "test" if split == "test" else "dev",
        languages=languages,
        categories=categories,
        limit=limit,
    )


@contextmanager
def _opened(
    system: str,
    *,
    model: str,
    endpoint: str | None,
    rate: float | None,
    max_tokens: int,
    context: int | None,
    threads: int | None,
    skill: str | None,
) -> Iterator[System]:
    """Whoever was chosen, ready to be asked."""
    if (endpoint is None) == (system == "endpoint"):
        raise typer.BadParameter(
            pick(
                "--endpoint URL and --system endpoint go together",
                "--endpoint URL 与 --system endpoint 须同时给出",
            )
        )
    match system:
        case "fast":
            from qingyu.act.bench.systems import FastSystem

            yield FastSystem()
        case "assistant":
            from qingyu.act.bench.assistant_system import AssistantSystem
            from qingyu.act.skill.model import open_skill, what_is_missing

            if missing := what_is_missing(skill):
                common.notice(missing)
            with (
                open_skill(skill) as (understanding, identity),
                AssistantSystem(skill=understanding, identity=identity) as assistant,
            ):
                yield assistant
        case "model":
            from qingyu.act.bench.tool_system import ModelWriter, ToolSystem

            with common.open_model(model, context=context, threads=threads) as loaded:
                yield ToolSystem(ModelWriter(loaded, max_tokens=max_tokens))
        case "endpoint":
            from qingyu.act.bench.tool_system import EndpointWriter, ToolSystem

            assert endpoint is not None
            writer = EndpointWriter(url=endpoint, model=model, rate=rate, max_tokens=max_tokens)
            try:
                yield ToolSystem(writer)
            finally:
                writer.close()
        case _:
            known = ", ".join(SYSTEMS)
            raise InvalidRequestError(
                pick(
                    f"--system {system!r} is none of {known}",
                    f"--system {system!r} 不在 {known} 之中",
                )
            )


def _folder_name(selection: Selection, system: System) -> str:
    """What is asked, whom, and which part of it."""
    found = selection.identity
    kind, name = str(system.identity["system"]), str(system.identity["name"])
    parts = [str(found["name"]), kind if kind in ("fast", "assistant") else f"{kind}-{name}"]
    if len(found["languages"]) == 1:
        parts.append(found["languages"][0])
    parts += found["categories"]
    if found["limit"] is not None:
        parts.append(f"first{found['limit']}")
    return re.sub(r"[^\w.-]+", "_", "-".join(parts))
