"""Causal attention within documents that lie one after the other, forward and backward.

    documents = arrange(((0, 300), (300, 20), (320, 12)))    # (first, length) of each
    out = attend(query, key, value, documents)

No token sees another document. torch's own CPU kernel reaches a sixth of what its matrix products
do (measured: docs/log.md); here a document is a handful of products. Queries are taken in blocks,
each with the keys up to its end, so of what lies above the diagonal only half a block is computed.
Neighbours that fit into one block together are computed together, under a mask: many short
documents would cost more in calls than in work. The heads that share a key are stacked into one
product.

Scores are rounded to the dtype of the inputs, the softmax is float32 inside. Probabilities are
not kept: the backward computes them again from the same inputs, to the same bits.

Shapes: N tokens, H heads, K key heads, G = H / K, S head size, L length of a group of documents,
B queries of a block, E keys of a block (those up to its end).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from qingyu.make.training.kernels import apply

Pieces = tuple[tuple[int, int], ...]

# Queries at once. Smaller ones leave out more above the diagonal, and cost more calls.
_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class Group:
    """Tokens that are computed together. hidden: bool [L, L], true where a query does not see
    a key, for several documents; None for one."""

    first: int
    length: int
    hidden: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Where documents are, and how they are computed."""

    pieces: Pieces
    groups: tuple[Group, ...]


def arrange(pieces: Pieces) -> Documents:
    """Put neighbours together while they fit into a block; longer ones stay alone."""
    together: list[list[tuple[int, int]]] = []
    size = _BLOCK
    for first, length in pieces:
        if size + length > _BLOCK:
            together.append([])
            size = 0
        together[-1].append((first, length))
        size += length
    return Documents(pieces=pieces, groups=tuple(_group(chosen) for chosen in together))


def _group(pieces: list[tuple[int, int]]) -> Group:
    lengths = torch.tensor([length for _, length in pieces])
    size = int(lengths.sum())
    hidden = None
    if len(pieces) > 1:
        numbers = torch.repeat_interleave(torch.arange(len(pieces)), lengths)
        hidden = (numbers[:, None] != numbers) | _above(size)
    return Group(first=pieces[0][0], length=size, hidden=hidden)


def attend(query: Tensor, key: Tensor, value: Tensor, documents: Documents) -> Tensor:
    """query [N, H, S] (already scaled), key and value [N, K, S] to [N, H, S]."""
    if query.device.type != "cpu":
        return attend_by_torch(query, key, value, documents.pieces)
    return apply(_Attend, query, key, value, documents.groups)


def attend_by_torch(query: Tensor, key: Tensor, value: Tensor, pieces: Pieces) -> Tensor:
    """The same by torch's own kernels, which accelerators are better at."""
    lengths = [length for _, length in pieces]
    found = []
    for parts in zip(*(one.split(lengths) for one in (query, key, value)), strict=True):
        queries, keys, values = (one.transpose(0, 1)[None] for one in parts)
        out = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            is_causal=True,
            scale=1.0,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        found.append(out[0].transpose(0, 1))
    return torch.cat(found)


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, groups: tuple[Group, ...]
    ) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.groups = groups
        out = torch.empty_like(query)
        for group in groups:
            first = group.first
            keys, values = (_heads(one, first, group.length) for one in (key, value))
            for start, end in _query_blocks(group.length):
                queries = _stacked(query, first + start, first + end, keys.shape[0])
                weights = _weights(queries, keys[:, :end], start, end, group.hidden)
                found = torch.bmm(weights, values[:, :end])
                _unstack(found, out, first + start, first + end)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (gradient,) = gradients
        query, key, value = ctx.saved_tensors
        query_out, key_out, value_out = (torch.empty_like(one) for one in (query, key, value))
        for group in ctx.groups:
            first, length = group.first, group.length
            keys, values = (_heads(one, first, length) for one in (key, value))
            num_keys = keys.shape[0]
            # Sums over the blocks of queries; float32 when there is more than one.
            dtype = query.dtype if length <= _BLOCK else torch.float32
            keys_sum, values_sum = (torch.zeros_like(keys, dtype=dtype) for _ in range(2))
            for start, end in _query_blocks(length):
                here = first + start, first + end
                queries = _stacked(query, *here, num_keys)
                into = _stacked(gradient, *here, num_keys)
                weights = _weights(queries, keys[:, :end], start, end, group.hidden)
                values_sum[:, :end] += torch.bmm(weights.transpose(1, 2), into)
                scores = torch._softmax_backward_data(
                    torch.bmm(into, values[:, :end].transpose(1, 2)), weights, -1, query.dtype
                )
                _unstack(torch.bmm(scores, keys[:, :end]), query_out, *here)
                keys_sum[:, :end] += torch.bmm(scores.transpose(1, 2), queries)
            key_out[first : first + length] = keys_sum.transpose(0, 1)
            value_out[first : first + length] = values_sum.transpose(0, 1)
        return query_out, key_out, value_out, None


def _query_blocks(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, _BLOCK):
        yield start, min(start + _BLOCK, length)


def _heads(states: Tensor, first: int, length: int) -> Tensor:
    """One document's keys or values, [K, L, S]."""
    return states[first : first + length].transpose(0, 1).contiguous()


def _stacked(states: Tensor, first: int, end: int, num_keys: int) -> Tensor:
    """[K, G B, S]: what belongs to one key head lies together."""
    part = states[first:end]
    size, heads, width = part.shape
    grouped = part.reshape(size, num_keys, heads // num_keys, width).permute(1, 2, 0, 3)
    return grouped.reshape(num_keys, -1, width)


def _unstack(found: Tensor, out: Tensor, first: int, end: int) -> None:
    """The reverse of `_stacked`, into out[first:end]."""
    num_keys, rows, width = found.shape
    size = end - first
    grouped = found.view(num_keys, rows // size, size, width).permute(2, 0, 1, 3)
    out[first:end].view(grouped.shape).copy_(grouped)


def _weights(queries: Tensor, keys: Tensor, start: int, end: int, hidden: Tensor | None) -> Tensor:
    """Probabilities [K, G B, E]; query start + i sees the keys up to itself that are not hidden."""
    scores = torch.bmm(queries, keys.transpose(1, 2))
    if hidden is None:
        hidden = _above(end - start)
    # Before the diagonal's square all is seen, and there is no such place in a masked group.
    square = scores.view(-1, end - start, end)[:, :, start:]
    square.masked_fill_(hidden, float("-inf"))
    return torch.softmax(scores, -1)


_MASKS: dict[int, Tensor] = {}


def _above(size: int) -> Tensor:
    """Bool [size, size], true above the diagonal."""
    if size not in _MASKS:
        _MASKS[size] = torch.ones(size, size, dtype=torch.bool).triu(1)
    return _MASKS[size]
