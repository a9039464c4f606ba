"""The templates of discovery messages: Jinja2's grammar, the part of it that always ends.

    template = Template("{{ value_json.brightness | float(0) / 2.55 | round }}")
    template.render(value=payload, value_json=parsed)            # text, as a device reads it

A template is code from whatever wrote to the broker. Jinja2 parses it; what it then may do is
written here: values, attributes and items, arithmetic, comparisons, if and set, some filters,
tests and methods. No loops, no macros, no way to an object of Python's, and no text longer than
64 KiB, so every template ends at once. One that asks for more is refused when it is read.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

_MOST_CHARACTERS = 4096
_LONGEST_TEXT = 1 << 16
_LARGEST = 1 << 63
_ENVIRONMENT = Environment(autoescape=False)
Names = dict[str, Any]


class TemplateRefusedError(Exception):
    """A template that is no Jinja2, or asks for what is not offered. Not for users: the entity
    is left out and a line is logged."""


class TemplateFailedError(Exception):
    """A template that has no result for this message. Not for users: the message is ignored."""


class _Missing:
    """What a name or key that is not there gives: no text, and false."""

    def __str__(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return False


_MISSING = _Missing()


class Template:
    """Raises TemplateRefusedError for what will never run."""

    def __init__(self, source: str) -> None:
        if len(source) > _MOST_CHARACTERS:
            raise TemplateRefusedError(f"{len(source)} characters; at most {_MOST_CHARACTERS}")
        try:
            self._tree = _ENVIRONMENT.parse(source)
        except (TemplateSyntaxError, RecursionError) as error:
            raise TemplateRefusedError(str(error)) from None
        _check(self._tree)

    def render(self, **names: Any) -> str:
        """Raises TemplateFailedError."""
        try:
            return _body(self._tree.body, {**_CONSTANTS, **names}).strip()
        except TemplateFailedError:
            raise
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise TemplateFailedError(f"{type(error).__name__}: {error}") from None


def json_or_missing(text: str) -> Any:
    """`value_json`: the payload as JSON, and nothing where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _MISSING


_CONSTANTS: Names = {"true": True, "false": False, "none": None}


def _check(node: nodes.Node) -> None:
    for one in node.iter_child_nodes():
        _check(one)
    if type(node) not in _KNOWN:
        raise TemplateRefusedError(f"{type(node).__name__.lower()} is not offered")
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise TemplateRefusedError(f"the filter {node.name} is not offered")
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise TemplateRefusedError(f"the test {node.name} is not offered")
    if isinstance(node, nodes.Filter | nodes.Call | nodes.Test) and (
        node.dyn_args is not None or node.dyn_kwargs is not None
    ):
        raise TemplateRefusedError("*arguments are not offered")
    if isinstance(node, nodes.Call):
        called = node.node
        known = (isinstance(called, nodes.Name) and called.name in _FUNCTIONS) or (
            isinstance(called, nodes.Getattr) and called.attr in _METHODS
        )
        if not known:
            raise TemplateRefusedError("this function is not offered")
    if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name):
        raise TemplateRefusedError("only a name can be set")


def _body(body: list[nodes.Node], names: Names) -> str:
    parts = []
    for node in body:
        if isinstance(node, nodes.Output):
            parts += [_text(_value(one, names)) for one in node.nodes]
        elif isinstance(node, nodes.If):
            parts.append(_if(node, names))
        elif isinstance(node, nodes.Assign):
            assert isinstance(node.target, nodes.Name)
            names[node.target.name] = _value(node.node, names)
    return _short("".join(parts))


def _if(node: nodes.If, names: Names) -> str:
    for branch in (node, *node.elif_):
        if _value(branch.test, names):
            return _body(branch.body, names)
    return _body(node.else_, names)


def _text(value: Any) -> str:
    return _short(value if isinstance(value, str) else str(value))


def _short(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise TemplateFailedError(f"a text of {len(text)} characters")
    return text


def _value(node: nodes.Node, names: Names) -> Any:
    return _KNOWN[type(node)](node, names)


def _name(node: Any, names: Names) -> Any:
    return names.get(node.name, _MISSING)


def _item(thing: Any, key: Any) -> Any:
    if isinstance(thing, _Missing):
        raise TemplateFailedError(f"nothing to take {key!r} from")
    if isinstance(thing, Mapping):
        return thing.get(key, _MISSING)
    if isinstance(thing, list | tuple | str) and type(key) is int:
        return thing[key] if -len(thing) <= key < len(thing) else _MISSING
    return _MISSING


def _slice(node: Any, names: Names) -> slice:
    ends = (node.start, node.stop, node.step)
    return slice(*(None if one is None else _value(one, names) for one in ends))


def _getitem(node: Any, names: Names) -> Any:
    thing = _value(node.node, names)
    if isinstance(node.arg, nodes.Slice):
        if not isinstance(thing, list | str):
            raise TemplateFailedError("nothing to cut")
        return thing[_slice(node.arg, names)]
    return _item(thing, _value(node.arg, names))


def _call(node: Any, names: Names) -> Any:
    arguments = [_value(one, names) for one in node.args]
    if isinstance(node.node, nodes.Name):
        return _FUNCTIONS[node.node.name](*arguments)
    thing = _value(node.node.node, names)
    if isinstance(thing, Mapping) and node.node.attr == "get":
        return thing.get(*arguments[:2])
    if not isinstance(thing, str) or node.node.attr == "get":
        raise TemplateFailedError(f"no text to {node.node.attr}")
    return _METHODS[node.node.attr](thing, *arguments)


def _filter(node: Any, names: Names) -> Any:
    arguments = [_value(one, names) for one in node.args]
    options = {one.key: _value(one.value, names) for one in node.kwargs}
    return _FILTERS[node.name](_value(node.node, names), *arguments, **options)


def _test(node: Any, names: Names) -> bool:
    return _TESTS[node.name](_value(node.node, names), *(_value(one, names) for one in node.args))


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda one, other: one in other,
    "notin": lambda one, other: one not in other,
}


def _compare(node: Any, names: Names) -> bool:
    left = _value(node.expr, names)
    for one in node.ops:
        right = _value(one.expr, names)
        if not _COMPARISONS[one.op](left, right):
            return False
        left = right
    return True


def _numbers(work: Callable[[Any, Any], Any]) -> Callable[[Any, Names], Any]:
    """Arithmetic, on numbers only: a text times a million is no template's business."""

    def compute(node: Any, names: Names) -> Any:
        return _computed(work, _value(node.left, names), _value(node.right, names))

    return compute


def _computed(work: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        raise TemplateFailedError(f"{left!r} and {right!r} are no numbers")
    result = work(left, right)
    if isinstance(result, int) and abs(result) > _LARGEST:
        raise TemplateFailedError("a number without end")
    return result


def _add(node: Any, names: Names) -> Any:
    left, right = _value(node.left, names), _value(node.right, names)
    if isinstance(left, str) and isinstance(right, str):
        return _short(left + right)
    return _computed(operator.add, left, right)


def _single(node: nodes.Node, names: Names) -> Any:
    """Of a list or dict in a template: lists of lists of lists could grow without end."""
    value = _value(node, names)
    if isinstance(value, list | Mapping):
        raise TemplateFailedError("a list within a list")
    return value


def _replaced(text: Any, old: Any, new: Any) -> str:
    text, old, new = _text(text), _text(old), _text(new)
    if len(text) + (text.count(old) + 1) * len(new) > _LONGEST_TEXT:
        raise TemplateFailedError("a text without end")
    return str(text.replace(old, new))


def _joined(values: Any, by: Any = "") -> str:
    parts = [_text(one) for one in values]
    if sum(map(len, parts)) + len(parts) * len(_text(by)) > _LONGEST_TEXT:
        raise TemplateFailedError("a text without end")
    return _text(by).join(parts)


def _branch(node: Any, names: Names) -> Any:
    if _value(node.test, names):
        return _value(node.expr1, names)
    return _MISSING if node.expr2 is None else _value(node.expr2, names)


_KNOWN: Mapping[type[nodes.Node], Callable[[Any, Names], Any]] = {
    nodes.Template: lambda node, names: _body(node.body, names),
    nodes.Output: lambda node, names: _body([node], names),
    nodes.If: _if,
    nodes.Assign: lambda node, names: _body([node], names),
    nodes.TemplateData: lambda node, names: node.data,
    nodes.Const: lambda node, names: node.value,
    nodes.Name: _name,
    nodes.Getattr: lambda node, names: _item(_value(node.node, names), node.attr),
    nodes.Getitem: _getitem,
    nodes.Slice: _slice,
    nodes.Call: _call,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Compare: _compare,
    nodes.Operand: lambda node, names: _value(node.expr, names),
    nodes.CondExpr: _branch,
    nodes.And: lambda node, names: _value(node.left, names) and _value(node.right, names),
    nodes.Or: lambda node, names: _value(node.left, names) or _value(node.right, names),
    nodes.Not: lambda node, names: not _value(node.node, names),
    nodes.Neg: lambda node, names: -_value(node.node, names),
    nodes.Pos: lambda node, names: +_value(node.node, names),
    nodes.Add: _add,
    nodes.Sub: _numbers(operator.sub),
    nodes.Mul: _numbers(operator.mul),
    nodes.Div: _numbers(operator.truediv),
    nodes.FloorDiv: _numbers(operator.floordiv),
    nodes.Mod: _numbers(operator.mod),
    nodes.Concat: lambda node, names: _short("".join(_text(_value(a, names)) for a in node.nodes)),
    nodes.List: lambda node, names: [_single(one, names) for one in node.items],
    nodes.Tuple: lambda node, names: [_single(one, names) for one in node.items],
    nodes.Dict: lambda node, names: {
        _single(one.key, names): _single(one.value, names) for one in node.items
    },
    nodes.Pair: lambda node, names: None,
    nodes.Keyword: lambda node, names: None,
}


def _number(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    """float and int as Home Assistant has them: without a default, what is none is an error."""

    def convert(value: Any, *default: Any, **options: Any) -> Any:
        otherwise = (*default, *options.values())
        try:
            number = float(value) if not isinstance(value, int) else value
            if isinstance(value, _Missing) or not math.isfinite(number):
                raise ValueError(value)
            return kind(number)
        except (TypeError, ValueError):
            if otherwise:
                return otherwise[0]
            raise TemplateFailedError(f"{value!r} is no number") from None

    return convert


def _round(value: Any, precision: int = 0, method: str = "common", default: Any = None) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        if default is not None:
            return default
        raise
    scale = 10.0**precision
    match method:
        case "ceil":
            number = math.ceil(number * scale) / scale
        case "floor":
            number = math.floor(number * scale) / scale
        case _:
            number = round(number, precision)
    # As Home Assistant: whole ones without a point.
    return int(number) if precision == 0 else number


def _default(value: Any, otherwise: Any = "", boolean: bool = False) -> Any:
    return otherwise if isinstance(value, _Missing) or (boolean and not value) else value


def _iif(value: Any, yes: Any = True, no: Any = False, none: Any = None) -> Any:
    return none if value is None and none is not None else yes if value else no


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


_FLOAT, _INT = _number(float), _number(int)
_FILTERS: Mapping[str, Callable[..., Any]] = {
    "float": _FLOAT,
    "int": _INT,
    "round": _round,
    "abs": lambda value: abs(value),
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "title": lambda value: _text(value).title(),
    "capitalize": lambda value: _text(value).capitalize(),
    "trim": lambda value: _text(value).strip(),
    "string": _text,
    "replace": _replaced,
    "default": _default,
    "d": _default,
    "iif": _iif,
    "length": len,
    "count": len,
    "first": lambda value: _item(value, 0),
    "last": lambda value: _item(value, -1),
    "join": _joined,
    "tojson": lambda value: json.dumps(value, ensure_ascii=False),
    "to_json": lambda value: json.dumps(value, ensure_ascii=False),
    "from_json": lambda value: json.loads(value),
    "is_number": _is_number,
    "multiply": lambda value, by: _FLOAT(value) * by,
    "add": lambda value, by: _FLOAT(value) + by,
}
_TESTS: Mapping[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, _Missing),
    "undefined": lambda value: isinstance(value, _Missing),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float),
    "string": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, Mapping),
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "eq": operator.eq,
    "equalto": operator.eq,
    "in": lambda value, many: value in many,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "float": _FLOAT,
    "int": _INT,
    "iif": _iif,
    "is_number": _is_number,
    "min": lambda *values: min(*values),
    "max": lambda *values: max(*values),
}
_METHODS: Mapping[str, Callable[..., Any]] = {
    "get": lambda thing: None,
    "split": str.split,
    "lower": str.lower,
    "upper": str.upper,
    "strip": str.strip,
    "replace": _replaced,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
