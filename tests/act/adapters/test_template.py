"""Templates of discovery messages: as Jinja2 has them, and never without an end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some
from jinja2 import Environment

from qingyu.act.adapters.mqtt_template import (
    Template,
    TemplateFailedError,
    TemplateRefusedError,
    json_or_missing,
)


def render(source: str, payload: str = "") -> str:
    return Template(source).render(value=payload, value_json=json_or_missing(payload))


@pytest.mark.parametrize(
    ("source", "payload", "wanted"),
    [
        ("{{ value_json.x }}", '{"x": 3}', "3"),
        ("{{ value_json['a b'].c[1] }}", '{"a b": {"c": [1, 2]}}', "2"),
        ("{{ value_json.x | float }}", '{"x": "21.50"}', "21.5"),
        ("{{ value_json.x | float(0) | round(1) }}", '{"x": 21.449}', "21.4"),
        ("{{ (value | float * 0.1) | round }}", "215", "22"),
        ("{{ value | int + 1 }}", "4", "5"),
        ("{{ value | int(7) }}", "four", "7"),
        ("{{ 'ON' if value_json.on else 'OFF' }}", '{"on": false}', "OFF"),
        ("{% if value == 'a' %}1{% elif value == 'b' %}2{% else %}3{% endif %}", "b", "2"),
        ("{{ {'1': 'on', '0': 'off'}[value] }}", "1", "on"),
        ("{{ value.split(',')[1] | trim }}", "1, 2", "2"),
        ("{{ value_json.missing }}", "{}", ""),
        ("{{ value_json.missing | default('x') }}", "{}", "x"),
        ("{{ value_json.x is defined }}", "{}", "False"),
        ("{% set n = value | int %}{{ n * 2 }}", "21", "42"),
        ("{{ value_json.get('x', 5) }}", "{}", "5"),
        ("{{ value | upper ~ '!' }}", "on", "ON!"),
        ("{{ value_json.state | lower | replace('_', ' ') }}", '{"state": "A_B"}', "a b"),
        ("{{ value in ['a', 'b'] and not false }}", "a", "True"),
        ('{"state": "{{ value }}"}', "x", '{"state": "x"}'),
    ],
)
def test_templates_as_devices_write_them(source: str, payload: str, wanted: str) -> None:
    assert render(source, payload) == wanted


@given(
    value=some.dictionaries(
        some.sampled_from(["a", "b"]), some.integers(-1000, 1000), min_size=2, max_size=2
    )
)
def test_the_same_as_jinja(value: dict[str, int]) -> None:
    """Against the original, on what both can."""
    for source in (
        "{{ value_json.a + value_json.b * 2 }}",
        "{{ value_json.a > value_json.b }}",
        "{{ (value_json.a / 7) | round(2) }}",
        "{{ 'x' if value_json.a % 2 == 0 else 'y' }}",
        "{{ value_json.c | default(value_json.a) }}",
        "{{ [value_json.a, 3] | first }}{{ value_json.a | abs }}",
        "{{ -value_json.a // 3 }}",
    ):
        theirs = Environment().from_string(source).render(value_json=value)
        assert render(source, json.dumps(value)) == theirs


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(1000000) %}{% endfor %}",
        "{{ value.__class__.__mro__() }}",
        "{{ states('lock.front') }}",
        "{{ value | map('upper') }}",
        "{{ cycler(1) }}",
        "{% macro a() %}{% endmacro %}",
        "{% include '/etc/passwd' %}",
        "{{ value ** 9 }}",
        "{{ value(*value) }}",
        "{{ 'a' * 9 }}{{ value.join(*[1]) }}",
        "{{ unclosed",
        "x" * 5000,
    ],
)
def test_what_is_not_offered_is_refused_when_it_is_read(source: str) -> None:
    with pytest.raises(TemplateRefusedError):
        Template(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 1000000000 }}",
        "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a = 9 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
        "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
        "{% set a = 'a' %}" + "{% set a = a.replace('a', 'aa') %}" * 60 + "{{ a }}",
        "{{ value_json.a.b }}",
        "{{ value | float }}",
        "{{ 1 / 0 }}",
        "{{ value.__class__.x }}",
        "{{ value.split('') }}",
    ],
)
def test_what_has_no_result_or_no_end_fails_at_once(source: str) -> None:
    with pytest.raises(TemplateFailedError):
        render(source, "x")


def test_attributes_are_keys_and_nothing_of_pythons() -> None:
    assert render("{{ value.__class__ }}", "x") == ""
    assert render("{{ value_json.__class__ }}", '{"__class__": 1}') == "1"
