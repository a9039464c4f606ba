"""Records llama.cpp's token ids for `texts.py`, as the standard our tokenizers are held to.

    python -m venv peers && peers/bin/pip install llama-cpp-python==0.3.36 tokenizers
    peers/bin/python tests/golden/record_llama_tokens.py MODEL.gguf [--train]

MODEL is the default model. The other vocabularies are small ones in `vocabularies.json`,
written to temporary vocabulary-only files, one for each pre-tokenizer. `--train` makes them
anew from the texts themselves.
Writes `llama_tokens.json`: for each vocabulary and text the ids without and with special
tokens parsed (null where both are the same).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from golden.texts import TEXTS  # noqa: E402
from golden.vocabularies import (  # noqa: E402
    CONTROL,
    USER_DEFINED,
    vocabulary_file,
    vocabulary_names,
)


def train() -> dict[str, Any]:
    """Two small vocabularies that know these texts by heart: whatever a pre-tokenizer does not
    cut apart is merged, so that a boundary in a wrong place shows in the ids."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    texts = [t for t in TEXTS if not any(name in t for name in CONTROL + USER_DEFINED)]
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    byte_level.train_from_iterator(
        texts * 2,
        trainers.BpeTrainer(
            vocab_size=3000,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            max_token_length=16,
            show_progress=False,
        ),
    )
    model = json.loads(byte_level.to_str())["model"]
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    tokens = [t for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]

    characters = Tokenizer(models.BPE())
    characters.train_from_iterator(
        [text.replace(" ", "▁") for text in texts * 2],
        trainers.BpeTrainer(vocab_size=2000, max_token_length=8, show_progress=False),
    )
    vocab = json.loads(characters.to_str())["model"]["vocab"]
    # Some characters stay out, so that they have to be spelled in bytes.
    spm = [t for t, i in sorted(vocab.items(), key=lambda item: item[1]) if len(t) > 1 or i % 5]
    # One without tokens that cross from a word to the next space, as most real ones are.
    words = [t for t in spm if "▁" not in t.lstrip("▁")]
    return {
        "byte_pairs": {"tokens": tokens, "merges": merges},
        "sentencepiece": {"tokens": spm},
        "words": {"tokens": words},
    }


def record(path: Path) -> dict[str, list[Any]]:
    import llama_cpp

    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    plain, special = [], []
    for text in TEXTS:
        raw = text.encode()
        without = model.tokenize(raw, add_bos=False, special=False)
        parsed = model.tokenize(raw, add_bos=False, special=True)
        plain.append(without)
        special.append(None if parsed == without else parsed)
    return {"plain": plain, "special": special, "bos": model.tokenize(b"", add_bos=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--train", action="store_true")
    arguments = parser.parse_args()
    if arguments.train:
        made = json.dumps(train(), ensure_ascii=False, indent=0)
        (HERE / "vocabularies.json").write_text(made + "\n", "utf-8")
    golden = {"smollm2": record(arguments.model)}
    with tempfile.TemporaryDirectory() as folder:
        for name in vocabulary_names():
            path = Path(folder) / f"{name}.gguf"
            path.write_bytes(vocabulary_file(name))
            golden[name] = record(path)
    lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in golden.items()]
    (HERE / "llama_tokens.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
