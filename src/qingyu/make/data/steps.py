"""The steps of a build as datatrove blocks: reading, cleaning, filtering, writing.

    [ReadFiles(plan), ExtractText(), RepairText(...), FilterQuality(...), KeepDocuments(folder)]

A step that drops a document says why: its statistics have `dropped_<reason>`. Everything here can
be pickled, so that datatrove's executors run it in other processes and on other machines.
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.hashing import create_hash_func

from qingyu.make.data import contamination, language, main_text, personal, quality
from qingyu.make.data.decoding import repair
from qingyu.make.data.files import UnreadableError, documents
from qingyu.make.data.plan import Plan
from qingyu.make.data.recipe import Quality

Documents = Iterable[Document]
_SPACES = re.compile(r"[ \u00a0\u2000-\u200a\u202f]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]|[\ud800-\udfff]")
_BLANKS = re.compile(r"\n{3,}")


class Step(PipelineStep):  # type: ignore[misc]
    """One document in, one or none out: subclasses write `change`."""

    type = "qingyu"

    def change(self, document: Document) -> str | None:
        """Change the document in place; the reason why it is dropped, or None."""
        raise NotImplementedError

    def applies(self, document: Document) -> bool:
        return True

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        for document in data:
            self.stat_update("total")
            reason = self.change(document) if self.applies(document) else None
            if reason is None:
                yield document
            else:
                self.stat_update(f"dropped_{reason}")


class ReadFiles(PipelineStep):  # type: ignore[misc]
    """The documents of one task's files. What cannot be read is counted and named, no more."""

    type = "qingyu"
    name = "read"

    def __init__(self, plan: Plan, problems: Path) -> None:
        super().__init__()
        self.plan = plan
        self.problems = problems

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self.problems.mkdir(parents=True, exist_ok=True)
        with (self.problems / f"{rank:05}.txt").open("w", encoding="utf-8") as log:
            for file in self.plan.tasks[rank]:
                source = self.plan.recipe.sources[file.source]
                try:
                    for raw in documents(source, Path(file.path), file.name):
                        self.stat_update("total", f"read_from_{file.source}")
                        self.stat_update("bytes", value=len(raw.text.encode(errors="replace")))
                        metadata: dict[str, Any] = {"source": file.source, "kind": source.kind}
                        if raw.messages is not None:
                            metadata["messages"] = list(raw.messages)
                        yield Document(text=raw.text, id=raw.id, metadata=metadata)
                except (UnreadableError, OSError) as error:
                    self.stat_update("dropped_unreadable")
                    log.write(f"{error}\n")


class ExtractText(Step):
    """Pages to their main text."""

    name = "extract"

    def applies(self, document: Document) -> bool:
        return bool(document.metadata["kind"] == "html")

    def change(self, document: Document) -> str | None:
        page = main_text.extract(document.text)
        document.text = page.text
        return None if page.text else "no_main_text"


class RepairText(Step):
    """Mojibake, entities, invisible characters, spaces; traditional to simplified on demand."""

    name = "repair"

    def __init__(self, simplify: bool) -> None:
        super().__init__()
        self.simplify = simplify
        self._converter: Any = None

    def change(self, document: Document) -> str | None:
        document.text = self._repaired(document.text)
        for message in document.metadata.get("messages", ()):
            message["content"] = self._repaired(message["content"])
        return None if document.text else "empty"

    def _repaired(self, text: str) -> str:
        text = tidy(repair(text))
        if self.simplify and language.is_traditional(text):
            if self._converter is None:
                from opencc import OpenCC

                self._converter = OpenCC("t2s")
            self.stat_update("simplified")
            text = self._converter.convert(text)
        return text

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_converter": None}  # a library's object cannot be pickled


def tidy(text: str) -> str:
    """The text in NFC, without what is invisible, trailing spaces and empty lines in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = (
        _CONTROL.sub("", _INVISIBLE.sub("", text)) if not text.isascii() else _CONTROL.sub("", text)
    )
    # Spaces at the beginning of a line are those of code.
    lines = (
        line.rstrip() if line.startswith(("  ", "\t")) else _SPACES.sub(" ", line).strip()
        for line in text.split("\n")
    )
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip("\n")


class FilterLanguage(Step):
    name = "language"

    def __init__(self, languages: tuple[str, ...]) -> None:
        super().__init__()
        self.languages = languages

    def change(self, document: Document) -> str | None:
        found = language.language(document.text)
        document.metadata["language"] = found
        self.stat_update(f"language_{found}")
        return None if found in self.languages else f"language_{found}"


class FilterQuality(Step):
    """Sources that are trusted and chats are not judged."""

    name = "quality"

    def __init__(self, rules: Quality, trusted: frozenset[int]) -> None:
        super().__init__()
        self.rules = rules
        self.trusted = trusted

    def applies(self, document: Document) -> bool:
        return document.metadata["source"] not in self.trusted and (
            document.metadata["kind"] != "chat"
        )

    def change(self, document: Document) -> str | None:
        return quality.broken(document.text, self.rules)


class MaskPersonal(Step):
    name = "mask"

    def change(self, document: Document) -> str | None:
        document.text = self._masked(document.text)
        for message in document.metadata.get("messages", ()):
            message["content"] = self._masked(message["content"])
        return None

    def _masked(self, text: str) -> str:
        text, counts = personal.mask(text)
        for mark, count in counts.items():
            self.stat_update(f"masked_{mark}", value=count)
        return text


class FilterContamination(Step):
    """Documents that overlap evaluation questions; each is named in `hits`."""

    name = "contamination"

    def __init__(self, questions: Path, hits: Path) -> None:
        super().__init__()
        self.questions = questions
        self.hits = hits
        self._loaded: contamination.Questions | None = None
        self._log: Any = None

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self._loaded = contamination.Questions.find(self.questions)
        self.hits.mkdir(parents=True, exist_ok=True)
        with (self.hits / f"{rank:05}.jsonl").open("w", encoding="utf-8") as self._log:
            yield from super().run(data, rank, world_size)
        self._loaded = self._log = None

    def change(self, document: Document) -> str | None:
        origin = self._loaded.hit(document.text) if self._loaded is not None else None
        if origin is None:
            return None
        row = {"document": document.id, "overlaps": origin}
        self._log.write(json.dumps(row, ensure_ascii=False) + "\n")
        return "contaminated"


class ShingleSignature(MinhashDedupSignature):  # type: ignore[misc]
    """datatrove's first MinHash step, on runs of characters and words without a word list."""

    def __init__(self, output_folder: str, config: MinhashConfig) -> None:
        PipelineStep.__init__(self)
        from datatrove.io import get_datafolder

        self.output_folder = get_datafolder(output_folder)
        self.config = config
        self.num_hashes = config.num_buckets * config.hashes_per_bucket
        self._parameters = None
        self._hash_func = create_hash_func(config.hash_config)
        self.language = "zh"
        self.skip_existing_sigs = False

    def get_shingles(self, text: str) -> Any:
        return contamination.ngrams(text, self.config.n_grams).reshape((-1, 1))


class KeepDocuments(PipelineStep):  # type: ignore[misc]
    """Write the documents of a task to one file, whole or not at all."""

    type = "qingyu"
    name = "keep"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{rank:05}.jsonl.gz"
        part = path.with_suffix(".part")
        with gzip.open(part, "wt", compresslevel=1, encoding="utf-8") as file:
            for document in data:
                self.stat_update("kept", f"kept_from_{document.metadata['source']}")
                file.write(json.dumps(asdict(document), ensure_ascii=False) + "\n")
                yield document
        part.replace(path)


class ReadDocuments(PipelineStep):  # type: ignore[misc]
    """Read what `KeepDocuments` wrote in the same task."""

    type = "qingyu"
    name = "read again"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        yield from read_kept(self.folder / f"{rank:05}.jsonl.gz")


def read_kept(path: Path) -> Iterator[Document]:
    with ExitStack() as stack:
        file = stack.enter_context(gzip.open(path, "rt", encoding="utf-8"))
        for line in file:
            fields = json.loads(line)
            fields.pop("media", None)
            yield Document(**fields)


def comparable(document: Document) -> str:
    """What makes two documents the same one: letters and digits, in lower case."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", document.text).lower())
