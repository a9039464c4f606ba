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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import llguidance
import numpy as np
from numpy.typing import NDArray

from qingyu.engine.json_schema import dumped, place_of, prepared
from qingyu.errors import ConstraintError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

# What strangers may ask for. A schema of a few kilobytes is already a large one.
MAX_GRAMMAR_BYTES = 256 << 10
MAX_CHOICES = 1024
# Compiled grammars kept, the least used going first.
_KEPT = 16
# A lexer has states as it needs them, about 1.5 kB each, and all texts of a grammar share it.
# When it is full the grammar is compiled anew and the text so far read again.
_LEXER_STATES = 50_000
# What building one may take, in llguidance's units: about 60 ms and 40 MB.
_LEXER_FUEL = 300_000
# Options of a rule that would have to be kept by sampling, not by a mask.
_RULE_OPTION = re.compile(
    r"^\s*[?!]?\w+\s*\[[^\]\n]*\b(temperature|max_tokens|stop)\s*=", re.MULTILINE
)
JSON_OPTIONS: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    # No \\u0061: a free key could be written so that it is one of the named ones after all.
    "json_allowed_escapes": 'nrbtf\\"',
    "json_allow_general_unicode_escapes": False,
    # What is not supported is an error, never left out.
    "lenient": False,
    "coerce_one_of": False,
}

Kind = Literal["json_schema", "regex", "lark"]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Grammar:
    """What a text must follow. Made by its class methods; equal ones are compiled once.

    source: JSON text, regular expression or Lark text.
    shown: control tokens of a Lark grammar that are part of the text people see.
    """

    kind: Kind
    source: str
    shown: tuple[int, ...] = ()

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
        return cls("json_schema", _bounded(dumped(schema)))

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
    def lark(cls, text: str, *, shown: tuple[int, ...] = ()) -> Grammar:
        """A context-free grammar in llguidance's dialect of Lark; it begins at `start`."""
        if not isinstance(text, str) or not text.strip():
            raise ConstraintError(pick("the grammar is empty", "语法为空"))
        if text.lstrip().startswith("{"):  # llguidance would take it for one of its own forms
            raise ConstraintError(pick("the grammar is JSON, not Lark", "语法是 JSON，而不是 Lark"))
        return cls("lark", _bounded(text), shown)

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

    def rule(self, name: str) -> str:
        """The same as one rule of a larger Lark grammar. Raises ConstraintError."""
        if self.kind == "json_schema":
            return json_rule(name, prepared(json.loads(self.source)))
        source = self.source
        if self.kind == "regex":
            written = json.loads(llguidance.LLMatcher.grammar_from_regex(source))
            source = written["grammars"][0]["lark_grammar"]
        return f"{name}: %lark {{\n{source}\n}}"


def json_rule(name: str, schema: Mapping[str, Any]) -> str:
    """A rule of a Lark grammar: JSON that a schema describes, as `prepared` gives it."""
    # How llguidance is told of options inside a grammar.
    return f"{name}: %json {json.dumps({**schema, 'x-guidance': JSON_OPTIONS})}"


class Constraints:
    """Grammars for one model's vocabulary. Safe for threads.

    vocab_size: of the logits, at least the tokenizer's.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        self._vocabulary = llguidance.LLTokenizer(
            llguidance.TokenizerWrapper(_Vocabulary(tokenizer, vocab_size)),
            n_vocab=vocab_size,
            eos_token=sorted(tokenizer.eos_ids) or None,
        )
        # Other "slices" of the vocabulary make masks inside JSON strings several times faster.
        self._json = self._vocabulary.with_slices(llguidance.LLTokenizer.json_slices())
        self._vocab_size = vocab_size
        self._guard = threading.Lock()
        self._kept: OrderedDict[Grammar, llguidance.LLMatcher] = OrderedDict()

    def start(self, grammar: Grammar) -> Constraint:
        """The beginning of a text. Raises ConstraintError when the grammar is damaged, asks for
        what is not supported, or leaves nothing to say."""
        return Constraint(self, grammar)

    def _matcher(self, grammar: Grammar, *, fresh: bool = False) -> llguidance.LLMatcher:
        """A matcher at the beginning; `fresh`: one whose lexer nobody has filled."""
        with self._guard:
            kept = None if fresh else self._kept.get(grammar)
            if kept is not None:
                self._kept.move_to_end(grammar)
        if kept is None:
            kept = self._compile(grammar)
            with self._guard:
                self._kept[grammar] = kept
                self._kept.move_to_end(grammar)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return kept.deep_copy()

    def _compile(self, grammar: Grammar) -> llguidance.LLMatcher:
        source = grammar.source
        if grammar.kind == "json_schema":
            schema = json.dumps(prepared(json.loads(source)))
            text = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=JSON_OPTIONS)
        elif grammar.kind == "regex":
            text = llguidance.LLMatcher.grammar_from_regex(source)
        else:
            option = _RULE_OPTION.search(source)
            if option is not None:
                raise _refused(grammar, f"the rule option {option[1]} is not supported")
            text = source
        json_like = grammar.kind == "json_schema" or "%json" in source
        vocabulary = self._json if json_like else self._vocabulary
        limits = llguidance.LLParserLimits(
            max_lexer_states=_LEXER_STATES, initial_lexer_fuel=_LEXER_FUEL, verbose_errors=False
        )
        matcher = llguidance.LLMatcher(vocabulary, text, log_level=0, limits=limits)
        # Some grammars turn out to be empty, or too much, only at the first step.
        mask = matcher.compute_bitmask()
        matcher.compute_ff_tokens()
        if matcher.is_error():
            raise _refused(grammar, matcher.get_error())
        if not any(mask):
            raise _refused(grammar, "NoExtension")
        return matcher


class Constraint:
    """The state of one text. For one thread at a time."""

    def __init__(self, constraints: Constraints, grammar: Grammar) -> None:
        self._constraints = constraints
        self._grammar = grammar
        self._matcher = constraints._matcher(grammar)
        self._vocab_size = constraints._vocab_size
        self._tokens: list[int] = []
        # How many tokens there were when the text was last read again; None: never.
        self._renewed: int | None = None
        self._mask: NDArray[np.uint8] | None = None

    def mask(self) -> NDArray[np.uint8]:
        """A bit per token, lowest first, uint8 [ceil(vocab / 8) and padding]: set if the token
        may come next. Computed once per place. Raises ConstraintError when that is too much."""
        if self._mask is None:
            bits = self._do(lambda: self._matcher.compute_bitmask())
            self._mask = np.frombuffer(bits, dtype=np.uint8)
        return self._mask

    def apply(self, logits: NDArray[np.float32]) -> None:
        """Ban what may not come next: logits [vocab] become -inf there, in place."""
        banned = np.unpackbits(~self.mask(), count=self._vocab_size, bitorder="little")
        np.copyto(logits, -np.inf, where=banned.view(np.bool_))

    def accept(self, token: int) -> None:
        """The text goes on with a token, or ends with an end token. Raises ConstraintError when
        it may not."""
        self._mask = None
        self._do(lambda: self._matcher.consume_token(token))
        self._tokens.append(token)

    def forced(self) -> list[int]:
        """Tokens that must come next, one after the other; none when there is a choice.

        Where the mask is asked instead it leaves exactly these tokens, one at a time: a text in
        which they are taken is the text in which they are sampled.
        """
        return self._do(lambda: self._matcher.compute_ff_tokens())

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

    def _do(self, step: Callable[[], Value]) -> Value:
        """A step of the matcher. A lexer that is full, perhaps of other people's texts, must
        not end this one: then it goes on with a new one, which has only this text to keep."""
        result = step()
        if not self._matcher.is_error():
            return result
        reason = self._matcher.get_error()
        if "lexer error" in reason and self._renewed != len(self._tokens):
            self._renewed = len(self._tokens)
            self._matcher = self._constraints._matcher(self._grammar, fresh=True)
            if self._matcher.try_consume_tokens(self._tokens) == len(self._tokens):
                return self._do(step)
        raise ConstraintError(
            pick(
                f"the grammar became too complex to follow: {_short(reason)}",
                f"语法过于复杂，无法继续：{_short(reason)}",
            )
        )


class _Vocabulary:
    """A tokenizer as llguidance asks for it."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        known = range(tokenizer.vocab_size)
        self._tokenizer = tokenizer
        # Without an end token a text ends where its grammar leaves nothing else.
        self.eos_token_id = min(tokenizer.eos_ids, default=None)
        self.bos_token_id = None
        self.special_token_ids = [token for token in known if tokenizer.is_special(token)]
        self.tokens = [tokenizer.token_bytes(token) for token in known]
        # Rows of logits beyond the vocabulary are nobody's.
        self.tokens += [b""] * (vocab_size - len(self.tokens))

    def __call__(self, text: bytes | str) -> list[int]:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return self._tokenizer.encode(text, add_bos=False, continued=True)


def _parsed(text: str) -> Any:
    try:
        return json.loads(_bounded(text))
    except (ValueError, RecursionError) as error:
        raise ConstraintError(
            pick(f"the schema is no JSON: {error}", f"schema 不是合法的 JSON：{error}")
        ) from None


def _bounded(source: str) -> str:
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        raise ConstraintError(
            pick(
                f"the grammar is not valid Unicode at character {error.start}",
                f"语法的第 {error.start} 个字符不是有效的 Unicode",
            )
        ) from None
    if size > MAX_GRAMMAR_BYTES:
        raise ConstraintError(
            pick(
                f"the grammar has {size} bytes; at most {MAX_GRAMMAR_BYTES} are possible",
                f"语法有 {size} 字节；最多 {MAX_GRAMMAR_BYTES} 字节",
            )
        )
    return source


def _refused(grammar: Grammar, reason: str) -> ConstraintError:
    name = {"json_schema": "JSON schema", "regex": "regex", "lark": "grammar"}[grammar.kind]
    said = _short(reason)
    if grammar.kind == "json_schema" and (place := place_of(json.loads(grammar.source), reason)):
        said += f" (at {place})"
    return ConstraintError(
        pick(f"the {name} cannot be followed: {said}", f"无法遵循该 {name}：{said}")
    )


def _short(reason: str) -> str:
    """An error of llguidance as part of a sentence."""
    raised = re.search(r"InvalidRequestError\(.(.+?).\)", reason)
    if raised is not None:  # by the tokenizer, about a character that has no tokens
        return raised[1]
    if "NoExtension" in reason:
        return pick("no text satisfies it", "没有文本能满足它")
    if "Too many items" in reason or "Current row has" in reason:
        return pick(
            "it leaves too many ways open, or never ends (such as hundreds of optional"
            " properties, or a rule that needs itself)",
            "可能的分支过多，或无法结束（例如数百个可选属性，或必须包含自身的规则）",
        )
    if "oneOf constraints" in reason:
        return pick(
            "more than one option of a oneOf may hold at once; use anyOf",
            "oneOf 中可能有多个选项同时成立；请改用 anyOf",
        )
    if "lexer error" in reason:
        return pick(
            "its patterns are too large; make their repetitions shorter",
            "其中的模式过大；请缩短重复次数",
        )
    if "regex parse error" in reason:
        wrong = reason.rpartition("error: ")[2].partition("\n")[0]
        return pick(f"wrong pattern: {wrong}", f"模式有误：{wrong}")
    reason = " ".join(reason.replace("<non-verbose/>", "").split())
    return reason if len(reason) <= 300 else reason[:297] + "..."
