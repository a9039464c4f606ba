"""The family's sizes, counted on networks without weights."""

import pytest
import torch

from qingyu.errors import InvalidRequestError
from qingyu.make.family import FAMILY, DecoderConfig, build, find

MILLIONS = {"1m": 1.05, "15m": 15.0, "135m": 134.5, "0.3b": 302.8, "1.3b": 1307.0, "6b": 6400.0}


@pytest.mark.parametrize("name", FAMILY)
def test_sizes(name: str) -> None:
    config = find(name)
    network = build(config, device="meta")
    assert all(weight.is_meta for weight in network.parameters())
    counted = sum(weight.numel() for weight in network.parameters())  # a tied head comes once
    assert counted == config.num_parameters
    assert counted == pytest.approx(MILLIONS[name] * 1e6, rel=0.01)


def test_a_seed_gives_the_same_weights() -> None:
    one, two, other = (build(find("1m"), seed=seed) for seed in (3, 3, 4))
    first, second, third = (dict(network.named_parameters()) for network in (one, two, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], third["model.embed_tokens.weight"])
    assert one.lm_head.weight is one.model.embed_tokens.weight


def test_what_does_not_fit() -> None:
    sizes = {
        "vocab_size": 100, "embedding_size": 64, "feed_forward_size": 96, "num_layers": 2,
        "num_heads": 4, "num_kv_heads": 2, "context_length": 64,
    }  # fmt: skip
    DecoderConfig(**sizes)
    for change in ({"num_heads": 5}, {"num_kv_heads": 3}, {"num_layers": 0}):
        with pytest.raises(InvalidRequestError, match="do not fit"):
            DecoderConfig(**{**sizes, **change})
    with pytest.raises(InvalidRequestError, match=r"15m.*6b"):
        find("7b")
