"""qingyu doctor: the machine, what is installed, where models lie."""

from __future__ import annotations

import os

import pytest

from qingyu.serve.seal import probes
from tests.cli.scripted import Run


def test_page(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QINGYU_THREADS", "1")
    outcome = cli("doctor")
    assert outcome.code == 0
    assert "Qingyu uses 1 threads" in outcome.out
    assert "portable" in outcome.out
    assert "GB/s" in outcome.out
    assert "none; bring one: qingyu pull default" in outcome.out
    assert os.environ["QINGYU_HOME"] in outcome.out
    assert "QINGYU_THREADS" in outcome.out


def test_json(cli: Run) -> None:
    record = cli("doctor", "--json", "--threads", "1").json
    assert record["machine"]["threads"] == 1
    assert "portable" in record["machine"]["instruction_sets"]
    assert record["machine"]["bandwidth"] > 1e8
    assert record["machine"]["int8_peak"] > 1e8
    assert record["packages"]["numpy"]
    assert record["models"] == []
    assert record["home"] == os.environ["QINGYU_HOME"]
    assert record["variables"]["QINGYU_LANG"] == "en"


def test_a_bad_setting_is_an_error(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QINGYU_THREADS", "many")
    outcome = cli("doctor")
    assert outcome.code == 1
    assert "QINGYU_THREADS is 'many'" in outcome.err


def test_in_chinese(cli: Run, chinese: None) -> None:
    assert "内存带宽" in cli("doctor", "--threads", "1").out


def test_network_shows_the_table_and_its_verdict(cli: Run) -> None:
    outcome = cli("doctor", "--network")
    assert outcome.code == 0, outcome.out
    lines = {line[:32].strip(): line[32:].split() for line in outcome.out.splitlines()}
    assert lines["TCP connection"] == ["got", "out", "EPERM", "ENETUNREACH", "EPERM"]
    assert lines["thread started before the lock"][:3] == ["got", "out", "EPERM"]
    assert "The seal holds" in outcome.out


def test_network_as_json(cli: Run) -> None:
    record = cli("doctor", "--network", "--json").json
    assert record["holds"] is True
    assert {row["outcomes"]["all"] for row in record["rows"]} == {"EPERM"}


def test_a_lock_that_is_not_there_is_not_shown_as_one_that_leaks(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = {"none": "reached", "seccomp": "EPERM", "namespace": "reached", "all": "EPERM"}
    probe = probes.Probe(name="tcp", title="TCP", outcomes=outcomes)
    table = probes.ProbeTable(probes=(probe,), missing={"namespace": "not permitted"})
    monkeypatch.setattr(probes, "run_probes", lambda: table)
    outcome = cli("doctor", "--network")
    lines = {line[:32].strip(): line[32:].split() for line in outcome.out.splitlines()}
    assert lines["TCP"] == ["got", "out", "EPERM", "-", "EPERM"]
    assert "namespace is not to be had here: not permitted" in outcome.out
