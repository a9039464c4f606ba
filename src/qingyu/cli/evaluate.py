"""`qingyu eval`: C-Eval and CMMLU by the published protocol.

    qingyu eval ceval --shots 5
    qingyu eval cmmlu --model qwen3-0.6b --method generate --limit 20

Delegates to `qingyu.prove`; what is said at the end comes from `qingyu.prove.summary`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qingyu.cli import common, flags
from qingyu.cli.progress import shown_questions
from qingyu.text import pick


def register(app: typer.Typer) -> None:
    app.command(
        "eval",
        short_help=pick("What a model knows: C-Eval, CMMLU", "测一测模型知道什么：C-Eval、CMMLU"),
        help=pick(
            "Ask a model the questions of C-Eval or CMMLU by the published protocol, and say what"
            " the number means. Every answer is kept as it comes: a run that was stopped goes on"
            " where it was. Bring the questions with 'qingyu pull ceval'; they are not for"
            " commercial use (CC BY-NC-SA 4.0).",
            "按公布的协议用 C-Eval 或 CMMLU 的题目测试模型，并说明分数的含义。"
            "答案随时保存：中断后再次运行会从原处继续。"
            "题目用 qingyu pull ceval 获取，不得商用（CC BY-NC-SA 4.0）。",
        ),
    )(evaluate)


def evaluate(
    benchmark: Annotated[
        str, typer.Argument(metavar="ceval|cmmlu", help=pick("which questions", "哪套题目"))
    ],
    model: Annotated[str, flags.model()] = "default",
    shots: Annotated[int, flags.shots()] = 0,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="val|test",
            show_default=pick("val; CMMLU: test", "val；CMMLU 为 test"),
            help=pick("which part of the questions", "题目的哪一部分"),
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="official|harness",
            help=pick(
                "the papers' text, or lm-evaluation-harness's for cross-checking; numbers of one"
                " are never compared with the other's",
                "论文的文本，或 lm-evaluation-harness 的文本（用于核对）；两者的分数不可互比",
            ),
        ),
    ] = "official",
    method: Annotated[
        str,
        typer.Option(
            metavar="logits|generate|cot",
            help=pick(
                "the likeliest next letter; a chat answer that is read; or a chain of thought",
                "取最可能的下一个字母；读取对话回答；或思维链",
            ),
        ),
    ] = "logits",
    subjects: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            show_default=pick("all", "全部"),
            help=pick(
                "subjects and categories, with commas: law,STEM,Hard",
                "科目和类别，以逗号分隔：law,STEM,Hard",
            ),
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default=pick("all", "全部"),
            help=pick("only the first questions of each subject", "每科只取前几题"),
        ),
    ] = None,
    data: Annotated[Path | None, flags.data()] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=pick("evaluations/… by what is asked", "evaluations/…，按所测内容命名"),
            help=pick("folder for journal, result and report", "日志、结果与报告的文件夹"),
        ),
    ] = None,
    activations: Annotated[
        int,
        typer.Option(
            metavar="8|16",
            help=pick(
                "bits activations are rounded to: 16 measures the model, 8 is what chat and serve"
                " compute with, and faster",
                "激活值的位数：16 测的是模型本身；8 与 chat、serve 的计算相同，更快",
            ),
        ),
    ] = 16,
    max_tokens: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help=pick("most new tokens of an answer that is read", "读取式回答的最大词元数"),
        ),
    ] = 512,
    submission: Annotated[
        bool,
        typer.Option(
            "--submission",
            help=pick(
                "also write submission.json, the official format; the way to answer a split"
                " without a key",
                "另写官方提交格式 submission.json；用于没有答案的部分",
            ),
        ),
    ] = False,
    restart: Annotated[bool, flags.restart()] = False,
    no_report: Annotated[
        bool,
        typer.Option(
            "--no-report", help=pick("no page and pictures at the end", "结束时不生成报告和图片")
        ),
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default=False,
            help=pick(
                "ask this OpenAI-compatible server instead; --model is the name it knows. The key"
                " is $QINGYU_ENDPOINT_KEY or $OPENAI_API_KEY",
                "改问此 OpenAI 兼容服务；--model 为它所用的名称。"
                "密钥取 $QINGYU_ENDPOINT_KEY 或 $OPENAI_API_KEY",
            ),
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help=pick("requests at once, with --endpoint", "并发请求数（--endpoint）"),
        ),
    ] = 4,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="N",
            show_default=pick("no limit", "不限"),
            help=pick("requests per minute, with --endpoint", "每分钟请求数（--endpoint）"),
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(
            metavar="IN,OUT",
            show_default=False,
            help=pick(
                "price of a million tokens read and written, for the estimate",
                "每百万输入、输出词元的价格，用于估算费用",
            ),
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help=pick("do not ask before spending", "不再询问确认")),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            show_default=False,
            help=pick(
                "spread subjects over a Ray cluster: auto, an address, or local for this machine",
                "把科目分到 Ray 集群：auto、地址，或 local（本机）",
            ),
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", help=pick("workers, with --ray", "工作进程数（--ray）")),
    ] = 2,
    context: Annotated[int | None, flags.context()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.cli import answerers
    from qingyu.prove import summary
    from qingyu.prove.evaluation import evaluate as run
    from qingyu.prove.evaluation import forget
    from qingyu.prove.exam import Exam

    choice = answerers.Choice(
        model=model,
        activations=activations,
        context=context,
        threads=threads,
        max_tokens=max_tokens,
        endpoint=endpoint,
        concurrency=concurrency,
        rate=rate,
        ray=ray,
        workers=workers,
    )
    prices = answerers.parse_prices(price)
    exam = Exam.prepare(
        benchmark=benchmark,
        split=split,
        shots=shots,
        protocol=protocol,
        method=method,
        subjects=subjects,
        limit=limit,
        data=data,
    )
    if not submission:
        exam.require_answers()
    with answerers.opened(exam, choice) as answerer:
        folder = out or Path("evaluations") / summary.folder_name(exam, answerer.identity)
        if restart:
            forget(folder)
        if endpoint is not None:
            answerers.confirm(exam, answerer, folder, prices=prices, yes=yes)  # type: ignore[arg-type]
        try:
            with shown_questions(exam.benchmark.title) as progress:
                result = run(exam, answerer, folder, progress=progress)
        except KeyboardInterrupt:
            common.notice(
                pick(
                    f"stopped; the answers so far are in {folder}, and the same command goes on",
                    f"已停止；已有的答案在 {folder}，再次运行同一命令即可继续",
                )
            )
            raise
    if submission:
        summary.write_submission(result, folder)
    if result.is_scored and not no_report:
        from qingyu.prove.report import write_report

        write_report([result], folder)
    if as_json:
        record = result.to_json()
        del record["answers"]
        common.print_json({**record, "folder": str(folder)})
    else:
        print("\n".join(summary.lines(result, folder)))
