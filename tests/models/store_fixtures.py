"""A model in a store without a download."""

from __future__ import annotations

from qingyu.models.hashes import Stamp
from qingyu.models.store import HashOrigin, Manifest, ModelStore, StoredModel, utc_now
from tests.models.fake_hub import gguf_like, sha256


def add_model(
    store: ModelStore,
    name: str = "tiny",
    body: bytes | None = None,
    *,
    origin: HashOrigin = "first-pull",
) -> StoredModel:
    """Install `body` (GGUF-like bytes) under a name."""
    data = gguf_like(5000) if body is None else body
    staged = store.staging_folder(name) / f"{name}.gguf"
    staged.write_bytes(data)
    manifest = Manifest(
        name=name,
        file=f"{name}.gguf",
        bytes=len(data),
        sha256=sha256(data),
        hash_origin=origin,
        source="hf:owner/repo/tiny.gguf",
        licence="MIT",
        added=utc_now(),
        stamp=Stamp.of_path(staged),
    )
    return store.install(staged, manifest)
