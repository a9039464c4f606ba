"""`qingyu train`: a model of one's own, from a recipe.

    qingyu train recipe.toml --set steps=1000
    qingyu train recipe.toml --resume
    torchrun --nproc-per-node 8 -m qingyu train recipe.toml
    qingyu train --plan 6b --gpus 64 --gpu-memory 80

Delegates to `qingyu.make.training`; docs/make.md explains recipes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu.cli import common, flags
from qingyu.cli.progress import shown_steps
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.training.plan import Plan
    from qingyu.make.training.trainer import Outcome, Progress


def register(app: typer.Typer) -> None:
    app.command(
        "train",
        short_help=pick("Train, tune or distil a model", "训练、微调或蒸馏模型"),
        help=pick(
            "Train a model by a recipe (TOML): from nothing, from a model on its conversations,"
            " as a small adapter (LoRA), or from a teacher. A run can be stopped at any moment"
            " and goes on with --resume. Under torchrun it is spread over processes. --plan says"
            " what memory and time a model of the family takes on other hardware.",
            "按配方（TOML）训练模型：从零开始、用对话微调、训练小适配器（LoRA）或向教师模型学习。"
            "可随时停止，之后用 --resume 继续。用 torchrun 启动时会分布到多个进程。"
            "--plan 估算在其他硬件上训练某个尺寸所需的显存与时间。",
        ),
    )(train)


def train(
    recipe: Annotated[
        Path | None,
        typer.Argument(metavar="[RECIPE]", show_default=False, help=pick("the recipe", "配方文件")),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help=pick("go on with the run of the recipe", "继续配方的运行")),
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            show_default=False,
            help=pick(
                "replace a key of the recipe, as in optimizer.learning_rate=1e-4; may be repeated",
                "替换配方中的一个键，如 optimizer.learning_rate=1e-4；可重复",
            ),
        ),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            show_default=False,
            help=pick(
                "only compute memory and time of: 1m, 15m, 135m, 0.3b, 1.3b, 6b",
                "只计算显存与时间：1m、15m、135m、0.3b、1.3b、6b",
            ),
        ),
    ] = None,
    gpus: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help=pick("accelerators, with --plan", "加速卡数量（--plan）")
        ),
    ] = 8,
    gpu_memory: Annotated[
        float,
        typer.Option(
            min=1.0, metavar="GB", help=pick("memory of each, 10^9 bytes", "每卡显存（10^9 字节）")
        ),
    ] = 80.0,
    gpu_tflops: Annotated[
        float,
        typer.Option(
            min=1.0,
            metavar="N",
            help=pick(
                "bfloat16 peak of each, 10^12 operations per second (H100: 989, A100: 312)",
                "每卡 bfloat16 峰值（每秒 10^12 次运算；H100：989，A100：312）",
            ),
        ),
    ] = 989.0,
    share: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1.0,
            metavar="X",
            help=pick("share of the peak that training reaches", "训练能达到的峰值比例"),
        ),
    ] = 0.4,
    tokens: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            metavar="N",
            show_default=pick("20 per weight", "每个参数 20 个"),
            help=pick("tokens to learn from, as in 1e12", "训练词元数，如 1e12"),
        ),
    ] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    if (recipe is None) == (plan is None):
        raise InvalidRequestError(
            pick(
                "give a recipe to train by, or --plan MODEL",
                "请给出配方文件，或 --plan MODEL",
            ),
            param="recipe",
        )
    if plan is not None:
        from qingyu.make.training.plan import Plan, PlanConfig

        found = Plan.of(
            PlanConfig(
                model=plan,
                gpus=gpus,
                gpu_memory=gpu_memory,
                gpu_tflops=gpu_tflops,
                share=share,
                tokens=tokens or 0.0,
            )
        )
        if as_json:
            common.print_json(found.to_json())
        else:
            print("\n".join(_plan_lines(found)))
        return
    assert recipe is not None
    _train(recipe, resume, sets or [], as_json)


def _train(recipe: Path, resume: bool, sets: list[str], as_json: bool) -> None:
    from qingyu.make.training import processes
    from qingyu.make.training.recipe import read_recipe
    from qingyu.make.training.trainer import train

    config = read_recipe(recipe, sets)
    try:
        with shown_steps(Path(config.run).name) as progress:
            outcome = train(
                config,
                resume=resume,
                report=lambda one: progress(one.step, one.steps, _words(one)),
                notice=common.notice,
            )
    except KeyboardInterrupt:
        common.notice(
            pick(
                "stopped; the same command with --resume goes on from the last checkpoint",
                "已停止；同一命令加 --resume 可从最近的检查点继续",
            )
        )
        raise
    if not processes.leads():
        return
    if as_json:
        common.print_json(
            {
                "run": str(outcome.folder),
                "checkpoint": str(outcome.checkpoint),
                "steps": outcome.steps,
                "tokens": outcome.tokens,
                "loss": outcome.loss,
                "held_out_loss": outcome.held_out_loss,
                "tokens_per_second": outcome.tokens_per_second,
                "share_of_peak": outcome.share_of_peak,
            }
        )
    else:
        print("\n".join(_outcome_lines(outcome)))


def _words(one: Progress) -> str:
    held_out = one.held_out_loss
    behind = (
        pick(f" (held out {held_out:.3f})", f"（留出集 {held_out:.3f}）")
        if held_out is not None
        else ""
    )
    return pick(
        f"loss {one.loss:.3f}{behind}, {one.tokens_per_second:,.0f} tokens/s,"
        f" {one.share_of_peak:.0%} of the peak",
        f"损失 {one.loss:.3f}{behind}，{one.tokens_per_second:,.0f} 词元/秒，"
        f"峰值的 {one.share_of_peak:.0%}",
    )


def _outcome_lines(outcome: Outcome) -> list[str]:
    from qingyu.make.training.curve import as_text
    from qingyu.make.training.run_folder import RunFolder

    lines = [as_text(RunFolder(outcome.folder).metrics())]
    parts = [pick(f"{outcome.steps:,} steps", f"{outcome.steps:,} 步")]
    parts.append(pick(f"{outcome.tokens:,} tokens", f"{outcome.tokens:,} 词元"))
    if outcome.loss is not None:
        parts.append(pick(f"loss {outcome.loss:.3f}", f"损失 {outcome.loss:.3f}"))
    if (held_out := outcome.held_out_loss) is not None:
        parts.append(pick(f"held out {held_out:.3f}", f"留出集 {held_out:.3f}"))
    if outcome.seconds:
        rate, part = outcome.tokens_per_second, outcome.share_of_peak
        parts.append(pick(f"{rate:,.0f} tokens/s", f"{rate:,.0f} 词元/秒"))
        parts.append(pick(f"{part:.0%} of the peak measured", f"实测峰值的 {part:.0%}"))
    lines.append(pick(", ", "，").join(parts))
    lines.append(
        pick(
            f"{outcome.folder} holds the run; next: qingyu export {outcome.folder} --type q8_0",
            f"运行保存在 {outcome.folder}；下一步：qingyu export {outcome.folder} --type q8_0",
        )
    )
    return [line for line in lines if line]


def _plan_lines(plan: Plan) -> list[str]:
    config, memory = plan.config, plan.memory
    each = [
        (pick("master weights, float32", "主权重（float32）"), memory.masters),
        (pick("AdamW's moments, float32", "AdamW 动量（float32）"), memory.moments),
        (pick("gradients, float32", "梯度（float32）"), memory.gradients),
        (pick("gathered layers", "汇集的层"), memory.gathered),
        (pick("activations", "激活"), memory.activations),
        (pick("head", "输出头"), memory.head),
        (pick("libraries", "运行库"), memory.libraries),
        (pick("together", "合计"), memory.total),
    ]
    recompute = pick("recomputed", "重算") if plan.recompute else pick("kept", "保留")
    lines = [
        pick(
            f"{config.model}: {common.human_count(plan.decoder.num_parameters)} weights,"
            f" {config.gpus} accelerators of {config.gpu_memory:g} GB",
            f"{config.model}：{common.human_count(plan.decoder.num_parameters)} 参数，"
            f"{config.gpus} 张 {config.gpu_memory:g} GB 加速卡",
        ),
        pick(
            f"rows of {config.sequence_length} tokens: {plan.rows} at once on each,"
            f" activations {recompute}",
            f"每行 {config.sequence_length} 词元：每卡同时 {plan.rows} 行，激活{recompute}",
        ),
        pick("memory on each:", "每卡显存："),
        *(f"  {size / 1e9:8.2f} GB  {name}" for name, size in each),
    ]
    if not plan.fits:
        return [*lines, _advice(plan)]
    lines.append(
        pick(
            f"time: {plan.days:,.2f} days for {plan.tokens:.3g} tokens in {plan.steps:,} steps, at"
            f" {config.share:.0%} of {config.gpu_tflops:g} TFLOP/s each (assumed, not measured)",
            f"时间：{plan.tokens:.3g} 词元、{plan.steps:,} 步约 {plan.days:,.2f} 天，"
            f"按每卡 {config.gpu_tflops:g} TFLOP/s 的 {config.share:.0%} 计算（假定，未实测）",
        )
    )
    lines.append(
        pick(
            f"network: each receives {plan.traffic / 1e9:,.1f} GB for a step of"
            f" {plan.days * 86400 / plan.steps:,.1f} s",
            f"网络：每步 {plan.days * 86400 / plan.steps:,.1f} 秒，每卡接收"
            f" {plan.traffic / 1e9:,.1f} GB",
        )
    )
    return lines


def _advice(plan: Plan) -> str:
    missing = plan.memory.total / 1e9 - plan.config.gpu_memory
    if plan.fewest_gpus is None:
        return pick(
            f"It does not fit: {missing:,.1f} GB are missing on each, and more accelerators do not"
            " help, for what each must hold at once is too large; take ones with more memory, or a"
            " smaller model.",
            f"放不下：每卡缺 {missing:,.1f} GB，增加卡数也无济于事，"
            "因为每卡必须同时容纳的部分太大；请换显存更大的卡或更小的模型。",
        )
    return pick(
        f"It does not fit: {missing:,.1f} GB are missing on each, with one row at once and"
        f" activations recomputed. {plan.fewest_gpus} accelerators of this memory would do, or"
        f" {plan.config.gpus} of {plan.memory.total / 1e9:,.0f} GB.",
        f"放不下：即使每次一行并重算激活，每卡仍缺 {missing:,.1f} GB。"
        f"改用 {plan.fewest_gpus} 张同样的卡，或 {plan.config.gpus} 张"
        f" {plan.memory.total / 1e9:,.0f} GB 的卡即可。",
    )
