"""--adapter and --use-adapter, and /adapter in a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType

import qingyu
from qingyu.models.adapter import AdapterFile
from qingyu.models.family import describe
from qingyu.models.gguf import GGUFFile
from reference import random_models
from tests.cli.scripted import Install, Loader, Run, ScriptedModel
from tests.make.adapter_folders import values, write_folder


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Arguments for two adapters that are there."""
    for name in ("poet", "clerk"):
        (tmp_path / f"{name}.gguf").write_bytes(b"x")
    return [
        argument
        for name in ("poet", "clerk")
        for argument in ("--adapter", f"{name}={tmp_path / name}.gguf")
    ]


class Lasting(ScriptedModel):
    """One that several command lines may load in turn."""

    def close(self) -> None:
        pass


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    loader = Loader(default=Lasting(answers=[["Hello"]] * 9), other=Lasting(answers=[["Bye"]] * 9))
    model = loader.models["default"]
    assert isinstance(model, Lasting)
    model.adapters = {"poet": 1, "clerk": 2}
    monkeypatch.setitem(vars(qingyu), "load", loader)
    return loader


def asked(loader: Loader) -> list[Any]:
    return [options.get("adapter") for _, _, options in loader.models["default"].requests]  # type: ignore[union-attr]


def test_generate_takes_the_first_unless_told(
    cli: Run, loader: Loader, files: list[str], tmp_path: Path
) -> None:
    assert cli("generate", *files, "x").code == 0
    assert cli("generate", *files, "--use-adapter", "clerk", "x").code == 0
    assert cli("generate", *files, "--use-adapter", "none", "x").code == 0
    assert cli("generate", "x").code == 0
    assert asked(loader) == ["poet", "clerk", None, None]
    given = [options.get("adapters") for _, options in loader.calls]
    both = {"poet": tmp_path / "poet.gguf", "clerk": tmp_path / "clerk.gguf"}
    assert given == [both, both, both, None]


def test_json_says_which(cli: Run, loader: Loader, files: list[str]) -> None:
    assert cli("generate", *files, "--json", "x").json["adapter"] == "poet"
    assert cli("generate", "--json", "x").json["adapter"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--adapter", "poet"], "write it as NAME=FILE"),
        (["--adapter", "poet="], "write it as NAME=FILE"),
        (["--adapter", "=x.gguf"], "no name for an adapter"),
        (["--adapter", "a:b=x.gguf"], "no name for an adapter"),
        (["--adapter", "poet=/nowhere/x.gguf"], "there is no file /nowhere/x.gguf"),
        (["--use-adapter", "poet"], "names none of these: none"),
    ],
)
@pytest.mark.parametrize("verb", ["generate", "chat"])
def test_what_cannot_be_is_said_at_once(
    cli: Run, scripted: Install, verb: str, arguments: list[str], message: str
) -> None:
    model = scripted()
    words = ["x"] if verb == "generate" else []
    outcome = cli(verb, *arguments, *words)
    assert outcome.code == 2
    # The message may be broken into lines inside a box.
    plain = " ".join(outcome.err.replace("│", " ").split())
    assert message in plain
    assert model.requests == []


def test_a_name_twice(cli: Run, scripted: Install, files: list[str]) -> None:
    scripted()
    outcome = cli("generate", *files, *files[:2], "x")
    assert outcome.code == 2
    assert "is taken" in " ".join(outcome.err.split())


def test_a_conversation_changes_it(cli: Run, loader: Loader, files: list[str]) -> None:
    outcome = cli(
        "chat",
        *files,
        stdin="one\n/adapter\n/adapter clerk\ntwo\n/adapter none\nthree\n/adapter x\nfour\n",
    )
    assert outcome.code == 0
    assert asked(loader) == ["poet", "clerk", None, None]
    assert "adapter: poet (of poet, clerk, none)" in outcome.err
    assert "there is no adapter 'x'; there are: poet, clerk, none" in outcome.err


def test_another_model_has_no_adapters(cli: Run, loader: Loader, files: list[str]) -> None:
    outcome = cli("chat", *files, stdin="one\n/model other\ntwo\n/adapter\n")
    assert outcome.out == "Hello\nBye\n"
    other = loader.models["other"]
    assert isinstance(other, ScriptedModel)
    assert "adapter" not in other.requests[0][2]
    assert [options.get("adapters") for _, options in loader.calls][1] is None
    assert "adapter: none (of none)" in outcome.err


def test_an_adapter_is_exported(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = random_models.write(
        tmp_path / "base.gguf", random_models.FAMILIES["llama"], GGMLQuantizationType.Q8_0
    )
    write_folder(tmp_path / "poet", values())
    unknown = cli("export", "--to", "adapter", "poet")
    assert unknown.code == 1
    assert "name it with --base" in unknown.err
    record = cli("export", "--to", "adapter", "poet", "--base", str(base), "--json").json
    size = (tmp_path / "poet-adapter.gguf").stat().st_size
    assert record == {"path": "poet-adapter.gguf", "bytes": size, "base": str(base)}
    outcome = cli(
        "export", "--to", "adapter", "poet", "a.gguf", "--base", str(base), "--type", "F16"
    )
    assert outcome.out.startswith("a.gguf: an adapter for ")
    assert (tmp_path / "a.gguf").stat().st_size < size
    with GGUFFile.open(base) as gguf:
        config = describe(gguf)
    with AdapterFile.open(tmp_path / "a.gguf", config) as adapter:
        assert (adapter.rank, adapter.alpha) == (2, 4.0)
    refused = cli("export", "--to", "adapter", "poet", "b.gguf", "--licence", "MIT")
    assert "no effect" in refused.err
    assert "no effect" in cli("export", "--to", "bundle", "default", "--base", "x").err
