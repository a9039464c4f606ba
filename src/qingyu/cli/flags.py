"""Options that several verbs share, each with help, unit and default.

    def verb(model: Annotated[str, flags.model()] = "default") -> None: ...

Functions, not values: Typer evaluates them when the app is built, in the language then in
force. The verbs' defaults repeat those of `qingyu.engine.sampling.Sampling`, so that the help
can show them without loading numpy; tests/cli/test_generate.py holds the two together.
"""

from __future__ import annotations

from typing import Any

import typer

from qingyu.text import pick


def model() -> Any:
    return typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help=pick("name, path of a .gguf file, or hub reference", "名称、.gguf 文件路径或仓库引用"),
    )


def context() -> Any:
    return typer.Option(
        min=1,
        metavar="N",
        show_default=pick("the model's, at most 8192", "模型自身的，至多 8192"),
        help=pick("room for prompt and answer, in tokens", "提示与回答可用的长度（词元）"),
    )


def threads() -> Any:
    return typer.Option(
        min=1,
        metavar="N",
        show_default=pick("physical cores", "物理核心数"),
        help=pick(
            "threads to compute with. Variable: QINGYU_THREADS", "计算线程数。变量：QINGYU_THREADS"
        ),
    )


def template() -> Any:
    return typer.Option(
        metavar="NAME",
        show_default=pick("the model's own", "模型自带"),
        help=pick(
            "chat template: a name (chatml, ...) or a file", "对话模板：名称（chatml 等）或文件"
        ),
    )


def adapter() -> Any:
    return typer.Option(
        metavar="NAME=FILE",
        show_default=False,
        help=pick(
            "a LoRA adapter for the model, a GGUF file; may be repeated",
            "模型的 LoRA 适配器（GGUF 文件），可重复",
        ),
    )


def use_adapter() -> Any:
    return typer.Option(
        metavar="NAME",
        show_default=pick("the first --adapter", "第一个 --adapter"),
        help=pick(
            "the adapter to answer with; none: the model alone", "作答所用的适配器；none：不用"
        ),
    )


def as_json() -> Any:
    return typer.Option("--json", help=pick("print one JSON object", "输出一个 JSON 对象"))


def licence() -> Any:
    return typer.Option(
        "--licence",
        "--license",
        metavar="NAME",
        show_default=pick("the source's", "与来源相同"),
        help=pick("the model's licence, as in Apache-2.0", "模型的许可，如 Apache-2.0"),
    )


def temperature(show_default: bool | str = True) -> Any:
    return typer.Option(
        min=0.0,
        metavar="X",
        show_default=show_default,
        help=pick("randomness; 0 takes the likeliest token", "随机程度；0 表示总取最可能的词元"),
    )


def top_k() -> Any:
    return typer.Option(
        min=0,
        metavar="N",
        help=pick(
            "choose among the N likeliest tokens; 0: all", "只在最可能的 N 个词元中选；0：不限"
        ),
    )


def top_p() -> Any:
    return typer.Option(
        min=0.0,
        max=1.0,
        metavar="X",
        help=pick(
            "choose among the likeliest tokens with this total probability; 1: all",
            "只在累计概率达到此值的词元中选；1：不限",
        ),
    )


def min_p() -> Any:
    return typer.Option(
        min=0.0,
        max=1.0,
        metavar="X",
        help=pick(
            "leave out tokens below this share of the likeliest one's probability; 0: none",
            "去掉概率低于最高者此比例的词元；0：不去",
        ),
    )


def repetition_penalty() -> Any:
    return typer.Option(
        min=0.01,
        metavar="X",
        help=pick("divide the odds of tokens seen before; 1: off", "压低已出现词元的得分；1：关闭"),
    )


def presence_penalty() -> Any:
    return typer.Option(
        metavar="X",
        help=pick(
            "take this from the logit of tokens generated before", "从已生成词元的得分中减去此值"
        ),
    )


def frequency_penalty() -> Any:
    return typer.Option(
        metavar="X",
        help=pick("the same, for each time the token was generated", "同上，按生成次数累计"),
    )


def seed() -> Any:
    return typer.Option(
        min=0,
        metavar="N",
        show_default=pick("a new one each time", "每次不同"),
        help=pick("the same seed gives the same text", "相同的种子得到相同的文本"),
    )


def max_tokens(show_default: bool | str = True) -> Any:
    return typer.Option(
        "--max-tokens",
        "-n",
        min=1,
        metavar="N",
        show_default=show_default,
        help=pick("most new tokens of one answer", "一次回答最多生成的词元数"),
    )


def stop() -> Any:
    return typer.Option(
        metavar="TEXT",
        show_default=False,
        help=pick("end the text before this string; may be repeated", "遇到此字符串即止，可重复"),
    )


def schema() -> Any:
    return typer.Option(
        metavar="FILE",
        show_default=False,
        help=pick(
            "answer in JSON that follows this JSON schema", "按此 JSON schema 文件以 JSON 作答"
        ),
    )


def regex() -> Any:
    return typer.Option(
        metavar="PATTERN",
        show_default=False,
        help=pick("answer in text that this regex matches", "答案须整体匹配此正则表达式"),
    )


def lark() -> Any:
    return typer.Option(
        metavar="FILE",
        show_default=False,
        help=pick("answer in text of this Lark grammar", "答案须符合此 Lark 语法文件"),
    )


def choice() -> Any:
    return typer.Option(
        metavar="TEXT",
        show_default=False,
        help=pick("answer with this text; repeat for others", "只能以此文本作答；可重复以列出多项"),
    )


def shots() -> Any:
    return typer.Option(min=0, max=5, metavar="N", help=pick("examples shown", "示例题数"))


def data() -> Any:
    return typer.Option(
        metavar="DIR",
        show_default="$QINGYU_HOME/data",
        help=pick("folder of the questions", "题目所在文件夹"),
    )


def restart() -> Any:
    return typer.Option(
        "--restart", help=pick("forget answers given before", "忘掉之前的答案，重新开始")
    )


def skill() -> Any:
    return typer.Option(
        metavar="MODEL",
        show_default=pick("the one that ships", "自带模型"),
        help=pick("model that understands orders, or none", "理解指令的模型，或 none"),
    )
