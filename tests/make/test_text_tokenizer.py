"""One tokenizer in three forms, with the same tokens in each; and where the loss lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gguf_bytes import gguf_bytes
from golden.texts import TEXTS
from golden.vocabularies import PRE, vocabulary_file, vocabulary_metadata
from qingyu.errors import ModelFileError, ModelNotFoundError, TemplateError, UnsupportedModelError
from qingyu.make.text_tokenizer import TextTokenizer, load_tokenizer
from qingyu.models.gguf import GGUFFile
from qingyu.models.named_templates import NAMED_TEMPLATES
from qingyu.models.pretokenizers import PRETOKENIZERS
from qingyu.models.tokenizer import Tokenizer

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Say <|im_end|> please."},
    {"role": "assistant", "content": "No."},
    {"role": "user", "content": "你好"},
    {"role": "assistant", "content": "<|im_end|>你好！"},
]


def tokenizer(folder: Path, pre: str = "qwen2", **changes: Any) -> TextTokenizer:
    metadata = vocabulary_metadata(pre) | changes
    folder.mkdir(exist_ok=True)
    path = folder / "m.gguf"
    path.write_bytes(gguf_bytes({k: v for k, v in metadata.items() if v is not None}))
    return load_tokenizer(path)


@pytest.mark.parametrize("pre", PRE)
def test_the_three_forms_agree(tmp_path: Path, pre: str) -> None:
    (tmp_path / "m.gguf").write_bytes(vocabulary_file(pre))
    with GGUFFile.open(tmp_path / "m.gguf") as gguf:
        engine = Tokenizer.from_gguf(gguf)
    one = load_tokenizer(tmp_path / "m.gguf")
    one.save(tmp_path / "saved")
    two = load_tokenizer(tmp_path / "saved" / "tokenizer.json")
    assert PRETOKENIZERS[two.parts.pre] == PRETOKENIZERS[pre]
    assert (two.sha256, two.bos, two.eos, two.vocab_size) == (
        one.sha256, one.bos, one.eos, one.vocab_size,
    )  # fmt: skip
    for text in TEXTS:
        wanted = engine.encode(text, add_bos=False)
        assert one.encode(text) == wanted
        assert two.encode(text) == wanted
        assert two.decode(wanted) == engine.decode(wanted)
    two.save(tmp_path / "again")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "saved" / name).read_bytes()


@pytest.mark.parametrize("pre", ["qwen2", "llama-bpe", "smollm"])
def test_the_library_gives_the_same_tokens(tmp_path: Path, pre: str) -> None:
    from tokenizers import Tokenizer as Library

    made = tokenizer(tmp_path, pre)
    made.save(tmp_path)
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    library.encode_special_tokens = True
    for text in TEXTS:
        assert library.encode(text, add_special_tokens=False).ids == made.encode(text), text
    start = [made.bos] if made.parts.add_bos else []
    assert library.encode("a").ids == [*start, *made.encode("a")]


def test_published_ways_of_cutting_are_recognised(tmp_path: Path) -> None:
    made = tokenizer(tmp_path, "smollm")
    made.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    fields = json.loads(path.read_text("utf-8"))
    byte_level = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
    }  # fmt: skip
    contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
    rest = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

    def split(digits: str) -> dict[str, Any]:
        pattern = {"Regex": contractions + digits + rest}
        parts = [
            {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False},
            {**byte_level, "use_regex": False},
        ]
        return {"type": "Sequence", "pretokenizers": parts}

    digits = {"type": "Digits", "individual_digits": True}
    forms = {
        "smollm": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "gpt-2": byte_level,
        "qwen2": split("\\p{N}"),
    }
    for name, form in forms.items():
        path.write_text(json.dumps({**fields, "pre_tokenizer": form}), "utf-8")
        assert load_tokenizer(path).parts.pre == name
    model = {**fields["model"], "ignore_merges": True}
    path.write_text(json.dumps({**fields, "model": model, "pre_tokenizer": split("\\p{N}{1,3}")}))
    assert load_tokenizer(tmp_path).parts.pre == "llama-bpe"
    for change in (
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": {"type": "Lowercase"}},
        {"model": {**fields["model"], "byte_fallback": True}},
    ):
        path.write_text(json.dumps({**fields, **change}))
        with pytest.raises(UnsupportedModelError, match="byte-level BPE"):
            load_tokenizer(path)


def test_what_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        load_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelFileError, match="no JSON"):
        load_tokenizer(tmp_path)
    with pytest.raises(ModelFileError, match="no end token"):
        tokenizer(tmp_path / "x", **{"tokenizer.ggml.eos_token_id": None})


def answers(made: TextTokenizer, messages: list[dict[str, str]]) -> str:
    tokens, loss = made.chat(messages)
    assert len(tokens) == len(loss)
    return made.decode([t if on else made.bos or 0 for t, on in zip(tokens, loss, strict=True)])


def test_loss_is_on_what_the_assistant_says(tmp_path: Path) -> None:
    made = tokenizer(tmp_path, **{"tokenizer.chat_template": NAMED_TEMPLATES["chatml"]})
    tokens, _ = made.chat(CHAT)
    assert made.decode(tokens) == "".join(
        f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in CHAT
    )
    mark = made.decode([made.bos or 0])
    said = [part for part in answers(made, CHAT).split(mark) if part]
    assert said == ["No.<|im_end|>", "<|im_end|>你好！<|im_end|>"]
    # a name in a message is text, and its mark is a control token only at the end
    end = made.parts.texts.index("<|im_end|>")
    assert tokens.count(end) == len(CHAT)
    made.save(tmp_path)
    assert load_tokenizer(tmp_path).chat(CHAT) == made.chat(CHAT)


@pytest.mark.parametrize("name", ["plain", "llama3", "minicpm"])
def test_other_templates(tmp_path: Path, name: str) -> None:
    made = tokenizer(tmp_path, **{"tokenizer.chat_template": NAMED_TEMPLATES[name]})
    said = answers(made, [{"role": "user", "content": "1"}, {"role": "assistant", "content": "23"}])
    assert "23" in said
    assert "1" not in said


def test_thinking_that_is_dropped_later(tmp_path: Path) -> None:
    """A template that opens an answer with an empty thought and keeps it in the last one only."""
    source = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
    )
    made = tokenizer(tmp_path, **{"tokenizer.chat_template": source})
    said = answers(made, CHAT)
    assert "No.<|im_end|>" in said
    assert "你好！<|im_end|>" in said
    assert "please" not in said


def test_templates_that_hide_the_answer_are_refused(tmp_path: Path) -> None:
    source = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
    made = tokenizer(tmp_path, **{"tokenizer.chat_template": source})
    with pytest.raises(TemplateError, match="where the answer begins"):
        made.chat(CHAT)
    with pytest.raises(TemplateError, match="no chat template"):
        tokenizer(tmp_path).chat(CHAT)


@pytest.mark.model
def test_the_default_model(default_model_path: Path, tmp_path: Path) -> None:
    made = load_tokenizer(default_model_path)
    made.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.sha256 == made.sha256
    assert again.chat(CHAT) == made.chat(CHAT)
    said = answers(made, CHAT)
    assert "No.<|im_end|>" in said
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    wanted = theirs.apply_chat_template(CHAT[:1] + CHAT[3:4], tokenize=True, return_dict=False)
    assert wanted == made.chat(CHAT[:1] + CHAT[3:4])[0]
