"""A data set from end to end: what goes in, what is dropped and why, and going on after a kill."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from gguf_bytes import gguf_bytes
from golden.vocabularies import vocabulary_metadata
from qingyu.errors import DataError
from qingyu.make.data import pipeline
from qingyu.make.data.build import WORK, build, clean_texts
from qingyu.make.data.recipe import Recipe, read_recipe
from qingyu.make.shards import Shards
from qingyu.make.text_tokenizer import load_tokenizer
from qingyu.models.named_templates import NAMED_TEMPLATES

STORIES = [
    "村子在山的背面，太阳要到上午十点才照得进来。冬天的时候，大家就搬着凳子追太阳，从东墙根追到西墙根，一天也就过去了。",
    "渡口的老人说，从前这里有一条大河，后来河改了道，只留下一座没有水的桥，和桥上几块磨得发亮的石头。",
    "我第一次看见海是在二十岁，那天的风很大，沙滩上一个人也没有，我坐了半个钟头，就去车站买了回程的票。",
    "修表的师傅姓何，他在城墙根下坐了四十年，头也不抬，只凭声音就知道是哪一只表慢了，慢了多少。",
]
ENGLISH = (
    "The geese come in at dusk, and they come in loud. You hear them long before you see them, a"
    " sound like a gate that someone has forgotten to close, and then the whole sky is full. He"
    " has counted them every year, and nobody has ever asked him to."
)
MASKED = (
    "他把号码写在纸上：13812345678。后来纸湿了，字也看不清了，我们就再也没有联系过，"
    "只记得那一年的雨下得特别久，街上的水没到了膝盖。"
)
QUESTION = "下列关于光合作用与呼吸作用之间关系的叙述中正确的一项是"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of every kind, and a tokenizer."""
    metadata = vocabulary_metadata("qwen2")
    metadata["tokenizer.chat_template"] = NAMED_TEMPLATES["chatml"]
    (tmp_path / "m.gguf").write_bytes(gguf_bytes(metadata))
    (tmp_path / "pages").mkdir()
    menu = "<div class=nav>" + "".join(f"<a href={n}>栏目{n}</a>" for n in range(9)) + "</div>"
    for number, story in enumerate(STORIES[:2]):
        page = (
            f"<html><head><meta charset=gb2312><title>记</title></head><body>{menu}<p>{story}</p>"
        )
        (tmp_path / "pages" / f"{number}.html").write_bytes(page.encode("gbk"))
    (tmp_path / "pages" / "menu.html").write_text(f"<html><body>{menu}{menu}")
    (tmp_path / "stories.txt").write_text(f"{STORIES[2]}\n%\n{STORIES[2]}\n%\n{MASKED}\n%\n短。\n")
    rows = [
        ENGLISH,
        ENGLISH.replace("loud", "noisy"),
        QUESTION + "什么，谁也说不上来。" + STORIES[3],
    ]
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"body": row}) + "\n" for row in rows)
    parquet.write_table(pyarrow.table({"text": [STORIES[3], None]}), tmp_path / "rows.parquet")
    questions = tmp_path / "questions" / "cmmlu" / "test"
    questions.mkdir(parents=True)
    (questions / "biology.csv").write_text(f",Question,A,B,C,D,Answer\n0,{QUESTION},a,b,c,d,A\n")
    return tmp_path


RECIPE = """
name = "all kinds"
tokenizer = "m.gguf"
[quality]
min_units = 30
[duplicates]
bands = 20
rows = 4
[[source]]
kind = "html"
paths = ["pages"]
licence = "CC0-1.0"
[[source]]
kind = "text"
paths = ["stories.txt"]
separator = "%"
licence = "MIT"
[[source]]
kind = "jsonl"
paths = ["rows.jsonl.gz"]
field = "body"
licence = "MIT"
[[source]]
kind = "parquet"
paths = ["rows.parquet"]
licence = "MIT"
repeat = 2
"""


def recipe(folder: Path, text: str = RECIPE) -> Recipe:
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return read_recipe(folder / "recipe.toml")


def texts(folder: Path) -> list[str]:
    shards = Shards.open(folder)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    end = tokenizer.parts.texts[tokenizer.eos]
    found = []
    for number in range(shards.num_documents):
        text = tokenizer.decode(shards.document(number)[0].tolist())
        assert text.endswith(end)
        found.append(text.removesuffix(end))
    return found


def test_all_kinds(folder: Path) -> None:
    out = folder / "out"
    report = build(recipe(folder), base=folder, out=out, data=folder / "questions")
    found = texts(out)
    assert sorted(found) == sorted(
        [*STORIES[:3], STORIES[3], STORIES[3], MASKED.replace("13812345678", "<PHONE>"), ENGLISH]
    )
    assert report.read == 11
    assert report.kept == 7
    assert report.dropped == {
        "no_main_text": 1, "too_short": 1, "contaminated": 1, "exact_duplicate": 1,
        "near_duplicate": 1,
    }  # fmt: skip
    assert report.masked == {"PHONE": 1}
    assert report.contaminated == [
        {"document": "rows.jsonl.gz#3", "overlaps": "cmmlu/test/biology.csv"}
    ]
    assert [one.kept for one in report.sources] == [2, 2, 1, 2]
    index = Shards.open(out).index
    assert [one["licence"] for one in index["made"]["sources"]] == ["CC0-1.0", "MIT", "MIT", "MIT"]
    assert index["made"]["recipe"]["name"] == "all kinds"
    assert not (out / WORK).exists()
    assert json.loads((out / "report.json").read_text("utf-8"))["kept"] == 7
    assert "near duplicate" in (out / "report.md").read_text("utf-8")
    assert QUESTION not in (out / "report.md").read_text("utf-8")
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="finished data set"):
        build(recipe(folder), base=folder, out=out, data=folder / "questions")


def test_the_same_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is that of the lot: whatever the number of tasks; another seed is another order."""
    monkeypatch.setattr("qingyu.make.data.plan._TASK_BYTES", 100)
    build(recipe(folder), base=folder, out=folder / "one", data=folder / "questions")
    monkeypatch.undo()
    build(recipe(folder), base=folder, out=folder / "two", data=folder / "questions")
    other = recipe(folder, "seed = 1\n" + RECIPE)
    build(other, base=folder, out=folder / "three", data=folder / "questions")
    raw = [(folder / name / "00000.tokens").read_bytes() for name in ("one", "two", "three")]
    # Of near duplicates another one may be kept when the tasks differ.
    assert [text.replace("noisy", "loud") for text in texts(folder / "one")] == [
        text.replace("noisy", "loud") for text in texts(folder / "two")
    ]
    assert raw[1] != raw[2]
    assert sorted(texts(folder / "two")) == sorted(texts(folder / "three"))


def test_going_on_after_a_kill(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after each stage in turn: the result is that of one go, and no stage runs twice."""
    build(recipe(folder), base=folder, out=folder / "whole", data=folder / "questions")
    ran: list[str] = []
    real = pipeline.run_stage

    def stopping(stage: pipeline.Stage, **options: Any) -> None:
        before = list((stage.logs / "completions").glob("*"))
        real(stage, **options)
        if not before:
            ran.append(stage.name)
            raise KeyboardInterrupt

    monkeypatch.setattr("qingyu.make.data.build.run_stage", stopping)
    out = folder / "out"
    for _ in range(20):
        try:
            build(recipe(folder), base=folder, out=out, data=folder / "questions")
            break
        except KeyboardInterrupt:
            if ran[-1] != "shards":
                with pytest.raises(DataError, match="no finished shards"):
                    Shards.open(out)
    assert len(ran) == len(set(ran)) == 9
    assert (out / "00000.tokens").read_bytes() == (folder / "whole/00000.tokens").read_bytes()


def test_half_of_a_stage_is_not_taken_for_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> Any:
        raise KeyboardInterrupt

    out = folder / "out"
    with monkeypatch.context() as patch:
        patch.setattr("qingyu.make.data.personal.mask", broken)
        with pytest.raises(KeyboardInterrupt):
            build(recipe(folder), base=folder, out=out, data=folder / "questions")
    assert not list((out / WORK / "clean").glob("*.jsonl.gz"))
    build(recipe(folder), base=folder, out=out, data=folder / "questions")
    assert len(texts(out)) == 7


def test_work_of_another_recipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    out = folder / "out"
    with monkeypatch.context() as patch:
        patch.setattr("qingyu.make.data.build.run_stage", stop)
        with pytest.raises(KeyboardInterrupt):
            build(recipe(folder), base=folder, out=out)
    other = recipe(folder, "seed = 5\n" + RECIPE)
    with pytest.raises(DataError, match="--restart"):
        build(other, base=folder, out=out)
    build(other, base=folder, out=out, restart=True)


CHATS = [
    [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "你好！有什么事？"}],
    [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Call 13812345678."}],
]


def test_chats_keep_their_loss(folder: Path) -> None:
    with (folder / "chat.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"messages": chat}) + "\n" for chat in CHATS)
    source = '[[source]]\nkind = "chat"\npaths = ["chat.jsonl"]\nlicence = "MIT"\n'
    text = '[[source]]\nkind = "parquet"\npaths = ["rows.parquet"]\nlicence = "MIT"\n'
    head = 'tokenizer = "m.gguf"\nlanguages = ["zh", "en", "other"]\n[quality]\nmin_units = 20\n'
    report = build(recipe(folder, head + source + text), base=folder, out=folder / "out")
    shards = Shards.open(folder / "out")
    tokenizer = load_tokenizer(folder / "out")
    assert shards.has_loss
    said = []
    for number in range(shards.num_documents):
        tokens, loss = shards.document(number)
        assert loss is not None
        said.append(tokenizer.decode(tokens[loss.astype(bool)].tolist()))
    assert sorted(said) == sorted(
        ["你好！有什么事？<|im_end|>", "Call <PHONE>.<|im_end|>", f"{STORIES[3]}<|endoftext|>"]
    )
    assert report.target_tokens == sum(
        sum(tokenizer.chat(json.loads(json.dumps(c).replace("13812345678", "<PHONE>")))[1])
        for c in CHATS
    )


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "rows.parquet").write_bytes(b"PAR1 no")
    with gzip.open(folder / "rows.jsonl.gz", "at") as file:
        file.write("{\n")
    report = build(recipe(folder), base=folder, out=folder / "out")
    assert report.dropped["unreadable"] == 2
    assert any("line 4 is no JSON" in line for line in report.unreadable)
    assert not report.contamination_checked


def test_what_is_missing(folder: Path) -> None:
    with pytest.raises(DataError, match="no evaluation questions"):
        build(recipe(folder), base=folder, out=folder / "out", data=folder / "pages")
    required = recipe(folder, 'contamination = "require"\n' + RECIPE)
    with pytest.raises(DataError, match="qingyu pull"):
        build(required, base=folder, out=folder / "out")
    package = RECIPE.replace('paths = ["pages"]', 'paths = ["x"]\npackage = "debian:no-such"')
    with pytest.raises(DataError, match="--fetch"):
        build(recipe(folder, package), base=folder, out=folder / "out")
    short = RECIPE.replace("min_units = 30", "min_units = 30000")
    with pytest.raises(DataError, match="no document is left"):
        build(recipe(folder, short), base=folder, out=folder / "out")


def test_two_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qingyu.make.data.plan._TASK_BYTES", 400)
    # Without the stages for duplicates: each starts its processes anew, and that takes seconds.
    plain = recipe(folder, RECIPE.replace("bands = 20", "exact = false\nnear = false\nbands = 20"))
    build(plain, base=folder, out=folder / "one", data=folder / "questions")
    build(plain, base=folder, out=folder / "two", data=folder / "questions", workers=2)
    raw = [(folder / name / "00000.tokens").read_bytes() for name in ("one", "two")]
    assert raw[0] == raw[1]


def test_texts_for_a_tokenizer(folder: Path) -> None:
    found = list(clean_texts(recipe(folder), base=folder))
    assert ("en", ENGLISH) in found
    assert ("zh", STORIES[0]) in found
    assert not any("栏目" in text for _, text in found)
