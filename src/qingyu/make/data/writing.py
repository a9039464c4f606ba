"""The last step: documents in an order drawn by lot, to tokens, to shards.

    WriteShards(documents_folder, scratch_folder, out, recipe, num_files)

The lot is a hash of seed and document: it does not depend on how many tasks read the files. Sorted
in parts of bounded size, so that a data set may be larger than the memory.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datatrove.pipeline.base import PipelineStep

from qingyu.make.data.packages import fetched
from qingyu.make.data.recipe import Recipe
from qingyu.make.data.steps import read_kept
from qingyu.make.shards import INDEX, ShardWriter
from qingyu.make.text_tokenizer import load_tokenizer

_PART_BYTES = 128 << 20
_MAX_PARTS = 256


class WriteShards(PipelineStep):  # type: ignore[misc]
    type = "qingyu"
    name = "shards"

    def __init__(
        self, folder: Path, scratch: Path, out: Path, recipe: Recipe, num_files: int
    ) -> None:
        super().__init__()
        self.folder = folder
        self.scratch = scratch
        self.out = out
        self.recipe = recipe
        self.num_files = num_files

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        import qingyu

        tokenizer = load_tokenizer(self.recipe.tokenizer)
        if (self.out / INDEX).exists():  # written in the moment before the task was noted as done
            return
        made = {
            "recipe": self.recipe.as_json(),
            "program": f"qingyu {qingyu.__version__}",
            "sources": [_source_facts(source) for source in self.recipe.sources],
        }
        writer = ShardWriter(
            self.out, tokenizer, has_loss=self.recipe.has_chat, made=made,
            shard_tokens=self.recipe.shard_tokens,
        )  # fmt: skip
        try:
            for fields in self._in_order():
                text, messages = fields["text"], fields["metadata"].get("messages")
                if messages is not None:
                    tokens, loss = tokenizer.chat(messages)
                    writer.add(tokens, loss)
                    self.stat_update("target_tokens", value=sum(loss))
                else:
                    tokens = tokenizer.encode(text)
                    writer.add(tokens)
                source = fields["metadata"]["source"]
                self.stat_update("documents", f"documents_from_{source}")
                self.stat_update(f"tokens_from_{source}", value=len(tokens))
                self.stat_update("text_bytes", value=len(text.encode()))
            tokenizer.save(self.out)
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        self.stat_update("tokens", value=writer.num_tokens)
        shutil.rmtree(self.scratch, ignore_errors=True)
        yield from ()

    def _in_order(self) -> Iterator[dict[str, Any]]:
        """Documents by their lots: parted by the first bits, each part sorted in memory."""
        files = [self.folder / f"{number:05}.jsonl.gz" for number in range(self.num_files)]
        size = sum(path.stat().st_size for path in files) * 4  # gzip's usual ratio on text
        count = max(1, min(_MAX_PARTS, -(-size // _PART_BYTES)))
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        parts = [(self.scratch / f"{number:03}.jsonl").open("w") for number in range(count)]
        try:
            for path in files:
                for document in read_kept(path):
                    repeat = self.recipe.sources[document.metadata["source"]].repeat
                    for copy in range(repeat):
                        number = document.metadata["source"]
                        lot = self._lot(f"{number}/{copy}/{document.id}")
                        row = {"lot": lot, "text": document.text, "metadata": document.metadata}
                        parts[int(lot[:8], 16) * count >> 32].write(json.dumps(row) + "\n")
        finally:
            for part in parts:
                part.close()
        for number in range(count):
            path = self.scratch / f"{number:03}.jsonl"
            with path.open() as file:
                rows = sorted(file, key=lambda line: line[:50])  # a line begins with its lot
            yield from map(json.loads, rows)
            path.unlink()

    def _lot(self, identity: str) -> str:
        text = f"{self.recipe.seed}/{identity}"
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def _source_facts(source: Any) -> dict[str, Any]:
    facts = {"title": source.title, "kind": source.kind, "licence": source.licence}
    package = fetched(source.package) if source.package else None
    if package is not None:
        facts |= {
            "package": package.spec, "version": package.version,
            "licence_stated": package.licence,
        }  # fmt: skip
    return facts
