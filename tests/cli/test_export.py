"""qingyu export and qingyu import-hf: what they write, what they say, what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qingyu.make.family import find
from qingyu.models.gguf import GGUFFile
from qingyu.models.hashes import hash_file
from tests.cli.scripted import Run
from tests.cli.test_train import RECIPE
from tests.make.folders import engine_logits, torch_logits, write_model, write_run
from tests.make.training.made import made_data


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    write_run(tmp_path / "whisper-0.1", find("1m"))
    return tmp_path / "whisper-0.1"


def test_a_run_becomes_a_file(
    cli: Run, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("export", str(run_folder), "--type", "q4_k_m", "--licence", "MIT")
    assert outcome.code == 0
    assert outcome.out.startswith("whisper-0.1-q4_k_m.gguf: 1.05M parameters, ")
    assert "Q5_0 (24)" in outcome.out
    assert "24 matrices are Q5_0 instead of Q4_K" in outcome.err
    with GGUFFile.open(tmp_path / "whisper-0.1-q4_k_m.gguf") as gguf:
        assert gguf.metadata["general.license"] == "MIT"
    again = cli("export", str(run_folder), "--type", "q4_k_m")
    assert again.code == 1
    assert "exists; choose another name" in again.err


def test_places_and_json(cli: Run, run_folder: Path, tmp_path: Path) -> None:
    record = cli("export", str(run_folder), str(tmp_path / "a.gguf"), "--json").json
    assert record["path"] == str(tmp_path / "a.gguf")
    assert record["bytes"] == (tmp_path / "a.gguf").stat().st_size
    assert record["types"] == {"F16": 29, "F32": 9}
    assert record["notes"] == []
    option = cli("export", str(run_folder), "-o", str(tmp_path / "b.gguf"), "--type", "F16")
    assert option.code == 0
    assert hash_file(tmp_path / "a.gguf")[0] == hash_file(tmp_path / "b.gguf")[0]


def test_a_model_becomes_a_folder_and_comes_back(cli: Run, run_folder: Path) -> None:
    place = run_folder.parent
    assert cli("export", str(run_folder), str(place / "a.gguf"), "--type", "bf16").code == 0
    outcome = cli("export", "--to", "hf", str(place / "a.gguf"), str(place / "folder"))
    assert outcome.code == 0
    assert outcome.out == f"{place / 'folder'}: weights of 2.0 MiB in BF16\n"
    record = cli("import-hf", str(place / "folder"), "--out", str(place / "b.gguf"), "--json").json
    assert record["types"] == {"BF16": 29, "F32": 9}
    with GGUFFile.open(place / "a.gguf") as a, GGUFFile.open(place / "b.gguf") as b:
        assert all(bytes(a.data(name)) == bytes(b.data(name)) for name in a.tensors)
    straight = cli(
        "export", "--to", "hf", str(run_folder), str(place / "c"), "--licence", "MIT", "--json"
    ).json
    assert (straight["type"], straight["files"]) == ("F32", 1)
    assert 'license: "MIT"' in (place / "c" / "README.md").read_text()


def test_a_quantized_file_is_said_to_be_one(cli: Run, run_folder: Path) -> None:
    place = run_folder.parent
    cli("export", str(run_folder), str(place / "a.gguf"), "--type", "q8_0")
    outcome = cli("export", str(place / "a.gguf"), str(place / "b.gguf"), "--type", "q4_0")
    assert outcome.code == 0
    assert "were quantized before (Q8_0)" in outcome.err


def test_import_hf_keeps_the_type_of_the_folder(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    write_model(tmp_path / "Tiny2.5", "qwen3", torch.bfloat16)
    monkeypatch.chdir(tmp_path)
    assert cli("import-hf", "Tiny2.5").code == 0
    assert (tmp_path / "Tiny2.5-bf16.gguf").exists()
    chinese = cli("--lang", "zh", "import-hf", "Tiny2.5", "--type", "q6_k")
    assert "用 Q8_0 代替 Q6_K" in chinese.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "RUN", "--type", "q5_k_s"], "no type 'q5_k_s'"),
        (["export", "RUN", "--to", "onnx"], "--to takes gguf, hf, adapter, bundle"),
        (["export", "RUN", "--to", "hf"], "name the folder"),
        (["export", "RUN", "out", "--to", "hf", "--type", "q8_0"], "not 'q8_0'"),
        (["export", "RUN", "RUN", "RUN"], "not 3"),
        (["export", "RUN", "--checkpoint", "x"], "no checkpoint 'x'"),
        (["export", "default"], "-o FILE"),
        (["export", "default", "-o", "a", "--to", "bundle", "--type", "f16"], "--type has no"),
        (["export", "nowhere", "--type", "f16"], "nowhere"),
        (["export", "nowhere", "--to", "gguf"], "nowhere"),
        (["import-hf", "nowhere"], "there is no folder nowhere"),
        (["import-hf", "RUN"], "/config.json"),
        (["import-hf", "RUN", "--type", "x"], "no type 'x'"),
    ],
)
def test_what_is_refused(
    cli: Run, run_folder: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run_folder.parent)
    before = sorted(run_folder.parent.iterdir())
    if arguments[:2] == ["import-hf", "RUN"]:
        (run_folder / "config.json").unlink()
    outcome = cli(*(str(run_folder) if word == "RUN" else word for word in arguments))
    assert outcome.code == 1, outcome.out
    assert said in outcome.err
    assert sorted(run_folder.parent.iterdir()) == before


def test_the_sealed_program_writes_it_without_torch(run_folder: Path, tmp_path: Path) -> None:
    """As a user runs it: locked, and with nothing of the extra `make`."""
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['transformers'] = sys.modules['safetensors'] = None\n"
        "sys.argv = ['qingyu', 'export', *sys.argv[1:]]\n"
        "from qingyu.cli.main import main\n"
        "main()\n"
    )
    path = tmp_path / "a.gguf"
    command = [sys.executable, "-c", code, str(run_folder), str(path), "--type", "q8_0", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] == path.stat().st_size


def test_training_an_adapter_and_out_again(cli: Run, tmp_path: Path) -> None:
    """The whole way: a run, exported, tuned by an adapter, exported in both formats."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    made_data(tmp_path)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(folder=tmp_path), encoding="utf-8")
    place = [f"run={tmp_path / 'tuned'}", f"start.model={tmp_path / 'a.gguf'}", "lora.rank=4"]
    sets = [word for one in place for word in ("--set", one)]
    try:
        assert cli("train", str(recipe)).code == 0
        assert cli("export", str(tmp_path / "run"), str(tmp_path / "a.gguf")).code == 0
        text = recipe.read_text(encoding="utf-8").replace('fresh = "1m"\n', "")
        recipe.write_text(text, encoding="utf-8")
        tuned = cli("train", str(recipe), *sets)
        assert tuned.code == 0, tuned.err
        command = ("export", str(tmp_path / "tuned"), str(tmp_path / "b.gguf"), "--type", "f32")
        assert cli(*command).code == 0
        folder = str(tmp_path / "folder")
        assert cli("export", "--to", "hf", str(tmp_path / "tuned"), folder).code == 0
        network = AutoModelForCausalLM.from_pretrained(folder).eval()
        tokens = list(range(5, 60))
        theirs, ours = torch_logits(network, tokens), engine_logits(tmp_path / "b.gguf", tokens)
    finally:
        torch.set_num_threads(before)
    assert np.abs(ours - theirs).max() < 1e-3 * (theirs.max() - theirs.min())
    with GGUFFile.open(tmp_path / "b.gguf") as gguf:
        assert gguf.metadata["general.base_model.0.name"] == "run"
        assert gguf.metadata["qingyu.run.step"] == 4
