"""Finds how much of a prompt is already computed.

    cache.park(sequence, tokens)              # a finished sequence stays for others
    cache.find(prompt)                        # (parked sequence, common tokens) or None
    cache.find(prompt, "poet")                # the same among those parked under that key
    cache.evict()                             # the least recently used one goes

A trie whose edges are whole pages of tokens; what does not fill a page hangs at the last
node. Sequences parked under one key are never found under another: each key has a trie of its
own, and they share the order in which sequences go. It holds ids of parked sequences and drops
them through `drop`; it knows neither contexts nor forwards, nor does it fork: whoever holds the
context does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

Page = tuple[int, ...]
# The adapter a sequence was computed with; None: none.
Key = str | None


class _Node:
    """One page of tokens on the way; `tails` are what parked sequences have after it."""

    __slots__ = ("children", "tails")

    def __init__(self) -> None:
        self.children: dict[Page, _Node] = {}
        self.tails: dict[int, Page] = {}


class PrefixCache:
    """Parked sequences, none of which begins another of its key. Not safe for threads."""

    def __init__(self, page_tokens: int, drop: Callable[[int], None]) -> None:
        assert page_tokens > 0
        self._page = page_tokens
        self._drop = drop
        self._roots: dict[Key, _Node] = {}
        self._parked: OrderedDict[int, tuple[Key, tuple[int, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._parked)

    def find(self, tokens: Sequence[int], key: Key = None) -> tuple[int, int] | None:
        """The parked sequence that shares the longest beginning with tokens, and its length
        in tokens; None when the first token already differs. It counts as used."""
        root = self._roots.get(key)
        if root is None:
            return None
        node, depth = self._walk(root, tokens)
        rest = tuple(tokens[depth : depth + self._page])
        best, sequence = 0, -1
        for identity, tail in node.tails.items():
            common = common_length(tail, rest)
            if common >= best:
                best, sequence = common, identity
        for page, child in node.children.items():
            common = common_length(page, rest)
            if common > best or sequence < 0:
                best, sequence = common, _any_below(child)
        if sequence < 0 or depth + best == 0:
            return None
        self._parked.move_to_end(sequence)
        return sequence, depth + best

    def park(self, sequence: int, tokens: Sequence[int], key: Key = None) -> None:
        """Keep a sequence for later prompts. One that begins another is dropped: the longer
        one serves for both."""
        tokens = tuple(tokens)
        found = self.find(tokens, key) if tokens else None
        if not tokens or (found is not None and found[1] == len(tokens)):
            self._drop(sequence)
            return
        if found is not None and found[1] == len(self._parked[found[0]][1]):
            self._remove(found[0])
        node = self._roots.setdefault(key, _Node())
        whole = len(tokens) - len(tokens) % self._page
        for start in range(0, whole, self._page):
            node = node.children.setdefault(tokens[start : start + self._page], _Node())
        node.tails[sequence] = tokens[whole:]
        self._parked[sequence] = key, tokens

    def evict(self, keep: int = -1) -> bool:
        """Drop the least recently used sequence other than `keep`; False if there is none."""
        for sequence in self._parked:
            if sequence != keep:
                self._remove(sequence)
                return True
        return False

    def clear(self) -> None:
        """Drop all."""
        while self.evict():
            pass

    def _walk(self, root: _Node, tokens: Sequence[int]) -> tuple[_Node, int]:
        """The deepest node whose whole pages begin tokens, and its depth in tokens."""
        node, depth = root, 0
        while depth + self._page <= len(tokens):
            child = node.children.get(tuple(tokens[depth : depth + self._page]))
            if child is None:
                break
            node, depth = child, depth + self._page
        return node, depth

    def _remove(self, sequence: int) -> None:
        key, tokens = self._parked.pop(sequence)
        whole = len(tokens) - len(tokens) % self._page
        way: list[tuple[_Node, Page]] = []
        root = node = self._roots[key]
        for start in range(0, whole, self._page):
            page = tokens[start : start + self._page]
            way.append((node, page))
            node = node.children[page]
        del node.tails[sequence]
        # Nodes nobody needs any more go, from the leaf upwards.
        for parent, page in reversed(way):
            child = parent.children[page]
            if child.children or child.tails:
                break
            del parent.children[page]
        if not root.children and not root.tails:
            del self._roots[key]
        self._drop(sequence)


def _any_below(node: _Node) -> int:
    while not node.tails:
        node = next(reversed(node.children.values()))
    return next(reversed(node.tails))


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning of two tuples, or of two lists."""
    most = min(len(first), len(second))
    length = 0
    # Slices compare many times faster than elements.
    while length + 64 <= most and first[length : length + 64] == second[length : length + 64]:
        length += 64
    while length < most and first[length] == second[length]:
        length += 1
    return length
