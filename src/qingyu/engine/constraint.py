"""Keeps a text inside a grammar: which tokens may come next, and which must.

    constraints = Constraints(tokenizer, vocab_size)              # one per model
    constraint = constraints.start(Grammar.json_schema(schema))   # one per text
    constraint.apply(logits); constraint.accept(token); constraint.forced()

llguidance does the parsing; this is what it needs to know about a tokenizer, and what a caller
needs to know about it: errors before anything is generated, bounds on what strangers may ask
for, and compiled grammars kept. It knows neither sampling nor models.

JSON has one space after a comma and a colon and none elsewhere: small models lose themselves
in free whitespace.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import llguidance
import numpy as np
from numpy.typing import NDArray

from qingyu.errors import ConstraintError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

# What strangers may ask for. A schema of a few kilobytes is already a large one.
MAX_GRAMMAR_BYTES = 256 << 10
MAX_SCHEMA_DEPTH = 64
MAX_CHOICES = 1024
# Compiled grammars kept, the least used going first.
_KEPT = 64
JSON_OPTIONS: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    # What is not supported is an error, never left out.
    "lenient": False,
    "coerce_one_of": False,
}

Kind = Literal["json_schema", "regex", "lark"]


@dataclass(frozen=True)
class Grammar:
    """What a text must follow. Made by its class methods; equal ones are compiled once.

    source: JSON text, regular expression or Lark text.
    """

    kind: Kind
    source: str

    @classmethod
    def json_schema(cls, schema: Mapping[str, Any] | bool | str | type) -> Grammar:
        """JSON that a schema describes: a dict, its JSON text, or a pydantic class.

        Supported is what llguidance supports of draft 2020-12; anything else is a
        ConstraintError that names the keyword when the grammar is used.
        """
        if isinstance(schema, type):
            described = getattr(schema, "model_json_schema", None)
            if described is None:
                raise ConstraintError(
                    pick(
                        f"{schema.__name__} is no pydantic model; give a schema as a dict",
                        f"{schema.__name__} 不是 pydantic 模型；请以字典形式给出 schema",
                    )
                )
            schema = described()
        if isinstance(schema, str):
            schema = _parsed(schema)
        if isinstance(schema, bool):
            # A matcher takes only objects: these mean the same.
            schema = {} if schema else {"enum": []}
        if not isinstance(schema, Mapping):
            raise ConstraintError(
                pick(
                    f"a JSON schema is an object, not {type(schema).__name__}",
                    f"JSON schema 应为对象，而不是 {type(schema).__name__}",
                )
            )
        _check_depth(schema)
        try:
            source = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConstraintError(
                pick(f"the schema is no JSON: {error}", f"schema 不是合法的 JSON：{error}")
            ) from None
        return cls("json_schema", _bounded(source))

    @classmethod
    def json_object(cls) -> Grammar:
        """Any JSON object."""
        return cls.json_schema({"type": "object"})

    @classmethod
    def regex(cls, pattern: str) -> Grammar:
        """Text that a regular expression matches as a whole (syntax of Rust's regex crate)."""
        if not isinstance(pattern, str) or not pattern:
            raise ConstraintError(pick("the regex is empty", "正则表达式为空"))
        return cls("regex", _bounded(pattern))

    @classmethod
    def lark(cls, text: str) -> Grammar:
        """A context-free grammar in llguidance's dialect of Lark; it begins at `start`."""
        if not isinstance(text, str) or not text.strip():
            raise ConstraintError(pick("the grammar is empty", "语法为空"))
        return cls("lark", _bounded(text))

    @classmethod
    def choice(cls, choices: Sequence[str]) -> Grammar:
        """One of several texts."""
        if isinstance(choices, str) or not all(isinstance(one, str) and one for one in choices):
            raise ConstraintError(
                pick("choices must be texts, none empty", "choices 应为若干非空文本")
            )
        if not 1 <= len(choices) <= MAX_CHOICES:
            raise ConstraintError(
                pick(
                    f"there are {len(choices)} choices; 1 to {MAX_CHOICES} are possible",
                    f"选项有 {len(choices)} 个；应为 1 到 {MAX_CHOICES} 个",
                )
            )
        listed = " | ".join(json.dumps(one) for one in dict.fromkeys(choices))
        return cls("lark", _bounded(f"start: {listed}\n"))


class Constraints:
    """Grammars for one model's vocabulary. Safe for threads.

    vocab_size: of the logits, at least the tokenizer's.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        self._vocabulary = llguidance.LLTokenizer(
            llguidance.TokenizerWrapper(_Vocabulary(tokenizer, vocab_size)),
            n_vocab=vocab_size,
            eos_token=sorted(tokenizer.eos_ids),
        )
        # Other "slices" of the vocabulary make masks inside JSON strings several times faster.
        self._json = self._vocabulary.with_slices(llguidance.LLTokenizer.json_slices())
        self._vocab_size = vocab_size
        self._guard = threading.Lock()
        self._kept: OrderedDict[Grammar, llguidance.LLMatcher] = OrderedDict()

    def start(self, grammar: Grammar) -> Constraint:
        """The beginning of a text. Raises ConstraintError when the grammar is damaged, asks for
        what is not supported, or leaves nothing to say."""
        with self._guard:
            matcher = self._kept.get(grammar)
            if matcher is not None:
                self._kept.move_to_end(grammar)
        if matcher is None:
            matcher = self._compile(grammar)
            with self._guard:
                self._kept[grammar] = matcher
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return Constraint(matcher.deep_copy(), self._vocab_size)

    def _compile(self, grammar: Grammar) -> llguidance.LLMatcher:
        if grammar.kind == "json_schema":
            text = llguidance.LLMatcher.grammar_from_json_schema(
                grammar.source, overrides=JSON_OPTIONS
            )
        elif grammar.kind == "regex":
            text = llguidance.LLMatcher.grammar_from_regex(grammar.source)
        else:
            text = llguidance.LLMatcher.grammar_from_lark(grammar.source)
        json_like = grammar.kind == "json_schema" or "%json" in grammar.source
        vocabulary = self._json if json_like else self._vocabulary
        matcher = llguidance.LLMatcher(vocabulary, text, log_level=0)
        if matcher.is_error():
            raise _refused(grammar, matcher.get_error())
        # Some grammars turn out to be empty, or too much, only at the first step.
        mask = matcher.compute_bitmask()
        if matcher.is_error():
            raise _refused(grammar, matcher.get_error())
        if not any(mask):
            raise _refused(grammar, "nothing can follow it")
        return matcher


class Constraint:
    """The state of one text. For one thread at a time."""

    def __init__(self, matcher: llguidance.LLMatcher, vocab_size: int) -> None:
        self._matcher = matcher
        self._vocab_size = vocab_size
        self._mask: NDArray[np.uint8] | None = None

    def mask(self) -> NDArray[np.uint8]:
        """A bit per token, lowest first, uint8 [ceil(vocab / 8) and padding]: set if the token
        may come next. Computed once per place. Raises ConstraintError when that is too much."""
        if self._mask is None:
            bits = self._matcher.compute_bitmask()
            self._check()
            self._mask = np.frombuffer(bits, dtype=np.uint8)
        return self._mask

    def apply(self, logits: NDArray[np.float32]) -> None:
        """Ban what may not come next: logits [vocab] become -inf there, in place."""
        bits = np.unpackbits(self.mask(), count=self._vocab_size, bitorder="little")
        np.copyto(logits, -np.inf, where=bits == 0)

    def accept(self, token: int) -> None:
        """The text goes on with a token, or ends with an end token."""
        self._mask = None
        if not self._matcher.consume_token(token):
            self._check()

    def forced(self) -> list[int]:
        """Tokens that must come next, one after the other; none when there is a choice."""
        tokens = self._matcher.compute_ff_tokens()
        self._check()
        return tokens

    def valid_prefix(self, tokens: Sequence[int]) -> int:
        """How many of these could come next, in a row."""
        return self._matcher.validate_tokens(list(tokens))

    @property
    def finished(self) -> bool:
        """Whether nothing can follow but the end."""
        return self._matcher.is_stopped()

    @property
    def complete(self) -> bool:
        """Whether the text so far is a whole sentence of the grammar."""
        return not self._matcher.is_error() and (
            self._matcher.is_stopped() or self._matcher.is_accepting()
        )

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = _short(self._matcher.get_error())
            raise ConstraintError(
                pick(
                    f"the grammar became too complex to follow: {reason}",
                    f"语法过于复杂，无法继续：{reason}",
                )
            )


class _Vocabulary:
    """A tokenizer as llguidance asks for it."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        known = range(tokenizer.vocab_size)
        self._tokenizer = tokenizer
        self.eos_token_id = min(tokenizer.eos_ids)
        self.bos_token_id = None
        self.special_token_ids = [token for token in known if tokenizer.is_special(token)]
        self.tokens = [tokenizer.token_bytes(token) for token in known]
        # Rows of logits beyond the vocabulary are nobody's.
        self.tokens += [b""] * (vocab_size - len(self.tokens))

    def __call__(self, text: bytes | str) -> list[int]:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return self._tokenizer.encode(text, add_bos=False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(_bounded(text))
    except (ValueError, RecursionError) as error:
        raise ConstraintError(
            pick(f"the schema is no JSON: {error}", f"schema 不是合法的 JSON：{error}")
        ) from None


def _bounded(source: str) -> str:
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_GRAMMAR_BYTES:
        raise ConstraintError(
            pick(
                f"the grammar has {size} bytes; at most {MAX_GRAMMAR_BYTES} are possible",
                f"语法有 {size} 字节；最多 {MAX_GRAMMAR_BYTES} 字节",
            )
        )
    return source


def _check_depth(schema: Any) -> None:
    """Without recursion: what is checked may be as deep as it likes."""
    level: list[Any] = [schema]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_SCHEMA_DEPTH:
            raise ConstraintError(
                pick(
                    f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels",
                    f"schema 嵌套超过 {MAX_SCHEMA_DEPTH} 层",
                )
            )
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below += one.values()
            elif isinstance(one, (list, tuple)):
                below += one
        level = [one for one in below if isinstance(one, (Mapping, list, tuple))]


def _refused(grammar: Grammar, reason: str) -> ConstraintError:
    name = {"json_schema": "JSON schema", "regex": "regex", "lark": "grammar"}[grammar.kind]
    reason = _short(reason) + _place(grammar, reason)
    return ConstraintError(
        pick(f"the {name} cannot be followed: {reason}", f"无法遵循该 {name}：{reason}")
    )


def _place(grammar: Grammar, reason: str) -> str:
    """Where in a schema the keyword is that an error names."""
    named = re.search(r'Unimplemented keys: \["([^"]+)"', reason)
    if grammar.kind != "json_schema" or named is None:
        return ""
    places: list[tuple[str, Any]] = [("#", json.loads(grammar.source))]
    for pointer, value in places:
        if isinstance(value, dict):
            if named[1] in value:
                return f" (at {pointer}/{named[1]})"
            places += [(f"{pointer}/{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            places += [(f"{pointer}/{number}", inner) for number, inner in enumerate(value)]
    return ""


def _short(reason: str) -> str:
    """An error of llguidance as part of a sentence."""
    reason = " ".join(reason.split())
    return reason if len(reason) <= 300 else reason[:297] + "..."
