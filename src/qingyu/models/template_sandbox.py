"""Jinja with a limit on everything: time, text, nesting. For templates from strangers.

    environment = BoundedEnvironment()
    compiled = environment.compile_bounded(source)
    text = environment.render_bounded(compiled, {"messages": [...]})

Jinja's immutable sandbox keeps a template from reaching Python; this keeps it from using up
the machine. The template's compiled code calls back here at every loop turn (`tick`) and with
every value it builds (`grown`), and operations whose result may be far larger than what went
in are measured before they run. No threads, signals or processes. Hugging Face's additions to
the language are here too. Knows nothing of chats; `qingyu.models.template` does.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

MAX_SECONDS = 1.0  # of this thread's processor time, for one rendering
MAX_SOURCE = 128 << 10
MAX_TEXT = 16 << 20  # characters of one string, and of the output
MAX_ITEMS = 200_000  # values inside a list or dict, all levels counted
MAX_BUILT = 256 << 20  # characters and values built in one rendering, all together
MAX_BITS = 4096  # of a whole number
MAX_WIDTH = 10_000  # what text may be padded, indented or repeated to by one call
MAX_SPLIT = 1 << 20  # characters of a text that is taken apart into single ones


class LimitError(Exception):
    """A template went beyond a limit. Not caught by templates: Jinja has no `try`."""


class _Budget(threading.local):
    """What the rendering that runs in this thread has used."""

    deadline = float("inf")
    built = 0


_budget = _Budget()


class _Generator(CodeGenerator):
    """Compiled templates report their loop turns and the values they build."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        self.writeline("environment.tick()")
        super().blockvisit(nodes, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        if node.test is not None:  # a turn that the test rejects is a turn, too
            node.test = nodes.And(nodes.EnvironmentAttribute("turn"), node.test)
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self.write("environment.grown(")
        super().visit_List(node, frame)
        self.write(")")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self.write("environment.grown(")
        super().visit_Dict(node, frame)
        self.write(")")

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx != "load":
            super().visit_Tuple(node, frame)
            return
        self.write("environment.grown(")
        super().visit_Tuple(node, frame)
        self.write(")")


class _Generation(Extension):
    """`{% generation %}` marks what a model said, for training; here it is only tolerated."""

    tags = {"generation"}  # noqa: RUF012 (the base class has it so)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Namespace(Namespace):
    # printing one that holds others could take for ever
    def __repr__(self) -> str:
        return "<namespace>"


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """One for all templates; each rendering has its own budget."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants are computed when rendering, within its budget
            extensions=[_Generation, LoopControlExtension],
        )
        for name in ("urlize", "wordwrap", "pprint", "random", "striptags", "xmlattr"):
            del self.filters[name]
        self.filters.update(tojson=_tojson, join=_join, sum=_sum, format=_format)
        self.filters = {name: _bounded(name, f) for name, f in self.filters.items()}
        del self.globals["lipsum"]
        self.globals.update(
            namespace=_Namespace, raise_exception=_raise_exception, strftime_now=_strftime_now
        )

    def compile_bounded(self, source: str) -> jinja2.Template:
        """Raises LimitError when the source is too long; else as Jinja."""
        if len(source) > MAX_SOURCE:
            raise LimitError(f"source of {len(source)} characters (limit {MAX_SOURCE})")
        return self.from_string(source)

    def render_bounded(self, template: jinja2.Template, values: Mapping[str, Any]) -> str:
        """The output. Raises LimitError beyond a limit, and whatever the template raises."""
        _budget.deadline = time.thread_time() + MAX_SECONDS
        _budget.built = 0
        try:
            return template.render(values)
        finally:
            _budget.deadline = float("inf")

    # What compiled templates call.

    def tick(self) -> None:
        if time.thread_time() > _budget.deadline:
            raise LimitError(f"longer than {MAX_SECONDS:g} seconds")

    @property
    def turn(self) -> bool:
        self.tick()
        return True

    def grown(self, value: Any) -> Any:
        """The value, if it is not too large. Its parts were checked when they were built."""
        if isinstance(value, str):
            if len(value) > MAX_TEXT:
                raise LimitError(f"a text of {len(value)} characters (limit {MAX_TEXT})")
            _budget.built += len(value)
        elif isinstance(value, list | tuple | dict | set):
            _budget.built += sum(_weigh(value))
        elif isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise LimitError(f"a number of {value.bit_length()} bits (limit {MAX_BITS})")
        else:
            return value
        if _budget.built > MAX_BUILT:
            raise LimitError(f"more than {MAX_BUILT} characters built")
        self.tick()
        return value

    def joined(self, parts: Iterable[Any]) -> Any:
        """`~`: the parts as one text."""
        return self.grown("".join(_collected(parts)))

    def concat(self, parts: Iterable[str]) -> str:
        """The output of the template, of a macro or of a block."""
        text: str = self.grown("".join(_collected(parts)))
        return text

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            _check_product(left, right)
        elif operator == "**":
            if isinstance(left, int) and isinstance(right, int) and right > 0:
                _check(left.bit_length() * right, MAX_BITS, "bits")
        elif operator == "%" and isinstance(left, str):
            _check_percent(left, right)
        return self.grown(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        function = super().wrap_str_format(value)
        if function is None:
            return None

        def checked(*args: Any, **kwargs: Any) -> str:
            _check_method(value.__self__, "format", args, kwargs)
            return function(*args, **kwargs)

        return checked

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, bytes):
            raise LimitError("methods of bytes cannot be called")
        if isinstance(owner, str):
            args = _check_method(owner, __obj.__name__, args, kwargs)
        if isinstance(__obj, Macro):
            __self.tick()
        return __self.grown(super().call(__context, __obj, *args, **kwargs))


def _check(number: int, limit: int, what: str) -> None:
    if number > limit:
        raise LimitError(f"{number} {what} (limit {limit})")


def _collected(parts: Iterable[Any]) -> list[str]:
    """The parts as texts, no more than fit."""
    total = 0
    texts = []
    for part in parts:
        text = part if isinstance(part, str) else str(part)
        total += len(text)
        _check(total, MAX_TEXT, "characters")
        texts.append(text)
    return texts


def _weigh(value: Any) -> tuple[int, int]:
    """Values in a container, all levels, and characters in them. What occurs twice counts
    twice: a list of lists of lists of one list is small in memory and endless in print."""
    items = characters = 0
    stack = [value]
    while stack:
        item = stack.pop()
        items += 1
        if isinstance(item, str):
            characters += len(item)
        elif isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list | tuple | set):
            stack.extend(item)
        _check(items + len(stack), MAX_ITEMS, "values in a list or dict")
    _check(characters, MAX_TEXT, "characters in a list or dict")
    return items, characters


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check(left.bit_length() + right.bit_length(), MAX_BITS, "bits")
        return
    for value, times in ((left, right), (right, left)):
        if isinstance(times, int) and times > 0:
            if isinstance(value, str):
                _check(len(value) * times, MAX_TEXT, "characters")
            elif isinstance(value, list | tuple):
                _check(sum(_weigh(value)) * times, MAX_ITEMS, "values in a list")


def _check_format(text: str, fields: int, values: Any) -> None:
    """Of `%` and `format`: widths of at most three digits, and room for every field."""
    if re.search(r"\d{4}", text) or "*" in text:
        raise LimitError("a format with a width above 999")
    _check(len(text) + fields * (sum(_weigh(values)) + 999), MAX_TEXT, "characters")


def _check_percent(text: str, values: Any) -> None:
    _check_format(text, text.count("%"), values if isinstance(values, tuple) else [values])


def _check_method(text: str, name: str, args: tuple[Any, ...], kwargs: Any) -> tuple[Any, ...]:
    """Measure a method call of a string; returns the arguments to call it with."""
    if name == "translate":
        raise LimitError("str.translate cannot be called")
    if name == "join" and args:
        args = (_collected(args[0]),)
        _check(sum(map(len, args[0])) + len(text) * len(args[0]), MAX_TEXT, "characters")
    elif name == "replace" and len(args) > 1 and isinstance(args[0], str):
        growth = max(0, len(args[1]) - len(args[0]))
        _check(len(text) + (text.count(args[0]) * growth), MAX_TEXT, "characters")
    elif name in ("ljust", "rjust", "center", "zfill"):
        _check(args[0] if args and isinstance(args[0], int) else 0, MAX_WIDTH, "columns")
    elif name == "expandtabs":
        width = max([8, *(v for v in (*args, *kwargs.values()) if isinstance(v, int))])
        _check(len(text) + text.count("\t") * width, MAX_TEXT, "characters")
    elif name == "format":
        if re.search(r"[:!][^{}]*\{", text):
            raise LimitError("a format within a format")
        _check_format(text, text.count("{"), [args, kwargs])
    elif name in ("split", "rsplit", "splitlines"):
        separator = args[0] if args and isinstance(args[0], str) and args[0] else None
        if separator is not None:
            _check(text.count(separator), MAX_ITEMS, "pieces of a text")
        else:
            _check(len(text), 4 * MAX_SPLIT, "characters to split")
    return args


# Filters that take a text as a whole; the others take it apart character by character.
_WHOLE_TEXT = frozenset(
    {
        "abs", "capitalize", "center", "count", "d", "default", "e", "escape", "first", "float",
        "forceescape", "format", "indent", "int", "last", "length", "lower", "replace", "safe",
        "string", "title", "tojson", "trim", "truncate", "upper", "urlencode",
    }
)  # fmt: skip
_SIZED = frozenset({"batch", "center", "indent", "round", "slice"})


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, its arguments and its result measured."""

    @wraps(function)  # with the marks Jinja sets on functions that want the context
    def checked(*args: Any, **kwargs: Any) -> Any:
        environment = ENVIRONMENT
        environment.tick()
        for value in (*args, *kwargs.values()):
            if isinstance(value, str) and name not in _WHOLE_TEXT:
                _check(len(value), MAX_SPLIT, f"characters for the filter {name}")
            if name in _SIZED and isinstance(value, int) and value is not args[0]:
                _check(abs(value), MAX_WIDTH, f"as a size for the filter {name}")
        texts = [v for v in (*args, *kwargs.values()) if isinstance(v, str)]
        if name == "replace" and len(texts) > 2:
            _check_method(texts[0], "replace", tuple(texts[1:3]), {})
        elif name == "indent" and texts:
            width = max([4, *(v for v in (*args, *kwargs.values()) if isinstance(v, int))])
            width = max([width, *map(len, texts[1:])])
            _check(len(texts[0]) + (texts[0].count("\n") + 1) * width, MAX_TEXT, "characters")
        return environment.grown(function(*args, **kwargs))

    return checked


def _join(value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        get = jinja2.filters.make_attrgetter(ENVIRONMENT, attribute)
        value = map(get, value)
    parts = _collected(value)
    _check(sum(map(len, parts)) + len(d) * len(parts), MAX_TEXT, "characters")
    return str(d).join(parts)


def _sum(value: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
    if attribute is not None:
        value = map(jinja2.filters.make_attrgetter(ENVIRONMENT, attribute), value)
    for item in value:
        if not isinstance(item, int | float):
            raise TypeError("sum adds numbers")
        start = ENVIRONMENT.grown(start + item)
    return start


def _format(value: str, *args: Any, **kwargs: Any) -> str:
    values = kwargs or args
    _check_percent(str(value), values)
    return str(value) % values


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As Hugging Face's: real JSON, nothing escaped for HTML."""
    if isinstance(indent, int):
        _check(indent, 64, "columns of indent")
    elif isinstance(indent, str):
        _check(len(indent), 64, "columns of indent")
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(format: str) -> str:
    _check(len(format), MAX_WIDTH, "characters of a date format")
    return datetime.now().strftime(format)


ENVIRONMENT = BoundedEnvironment()
