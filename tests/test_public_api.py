"""The public names, and that importing them costs nothing before they are used."""

import subprocess
import sys

import qingyu

PUBLIC = {
    "ActionError",
    "AdapterInfo",
    "AsyncStream",
    "ConstraintError",
    "ContextFullError",
    "DataError",
    "DeadlineError",
    "DiskSpaceError",
    "DownloadError",
    "EndpointError",
    "Generation",
    "Grammar",
    "HashMismatchError",
    "InvalidRequestError",
    "JournalError",
    "Model",
    "ModelFileError",
    "ModelInfo",
    "ModelNotFoundError",
    "OfflineError",
    "OutOfMemoryError",
    "Perplexity",
    "QingyuError",
    "QueueFullError",
    "RecordsError",
    "Result",
    "Sampling",
    "SavedState",
    "Score",
    "SealError",
    "Session",
    "StateError",
    "Stream",
    "TemplateError",
    "TokenInfo",
    "TrainingError",
    "UnsupportedModelError",
    "WorldError",
    "__version__",
    "load",
}


def test_public_names_are_these() -> None:
    assert set(qingyu.__all__) == PUBLIC
    assert list(qingyu.__all__) == sorted(qingyu.__all__)
    assert set(dir(qingyu)) >= PUBLIC


def test_every_public_name_is_there() -> None:
    for name in qingyu.__all__:
        assert getattr(qingyu, name) is not None
    assert not hasattr(qingyu, "no_such_name")


def test_all_errors_are_public() -> None:
    from qingyu import errors

    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert tree == {name for name in PUBLIC if name.endswith("Error")}
    for name in tree:
        assert issubclass(getattr(errors, name), qingyu.QingyuError)


def test_importing_is_lazy() -> None:
    code = (
        "import sys, qingyu;"
        "heavy = {'numpy', 'tokenizers', 'jinja2', 'asyncio', 'typer', 'qingyu._native'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
