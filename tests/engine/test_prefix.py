"""The trie of parked sequences, against a list that is searched from end to end."""

from hypothesis import given
from hypothesis import strategies as st

from qingyu.engine.prefix import PrefixCache

PAGE = 4


def common(first: list[int], second: list[int]) -> int:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return length


class Parked:
    """A cache beside a plain list of what should be in it."""

    def __init__(self) -> None:
        self.dropped: list[int] = []
        self.cache = PrefixCache(PAGE, self.dropped.append)
        self.all: dict[int, list[int]] = {}

    def park(self, sequence: int, tokens: list[int]) -> None:
        self.all[sequence] = tokens
        self.cache.park(sequence, tokens)

    def alive(self) -> dict[int, list[int]]:
        return {key: value for key, value in self.all.items() if key not in self.dropped}


def test_finds_the_longest_beginning() -> None:
    parked = Parked()
    parked.park(1, [1, 2, 3, 4, 5, 6])
    parked.park(2, [1, 2, 3, 4, 5, 7, 8, 9, 10])
    assert parked.cache.find([1, 2, 3, 4, 5, 6, 7]) == (1, 6)
    assert parked.cache.find([1, 2, 3, 4, 5, 7, 8, 0]) == (2, 7)
    assert parked.cache.find([1, 2, 3, 0]) in {(1, 3), (2, 3)}
    assert parked.cache.find([2]) is None
    assert parked.cache.find([]) is None


def test_a_longer_sequence_replaces_its_beginning() -> None:
    parked = Parked()
    parked.park(1, [1, 2, 3, 4])
    parked.park(2, [1, 2, 3, 4, 5])
    assert parked.dropped == [1]
    parked.park(3, [1, 2])
    assert parked.dropped == [1, 3]
    parked.park(4, [])
    assert parked.dropped == [1, 3, 4]
    assert len(parked.cache) == 1


def test_the_least_recently_used_goes_first() -> None:
    parked = Parked()
    for sequence in (1, 2, 3):
        parked.park(sequence, [sequence] * 6)
    parked.cache.find([1, 1])
    assert parked.cache.evict(keep=2)
    assert parked.cache.evict()
    assert parked.dropped == [3, 2]
    assert not parked.cache.evict(keep=1)
    assert parked.cache.find([1, 1, 2]) == (1, 2)
    parked.cache.clear()
    assert parked.dropped == [3, 2, 1]
    assert parked.cache.find([1]) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["park", "park", "find", "evict"]),
            st.lists(st.integers(0, 1), max_size=11),
        ),
        max_size=30,
    )
)
def test_as_a_list_would(actions: list[tuple[str, list[int]]]) -> None:
    parked = Parked()
    for sequence, (action, tokens) in enumerate(actions):
        if action == "park":
            parked.park(sequence, tokens)
        elif action == "evict":
            any_left = bool(parked.alive())
            assert parked.cache.evict() == any_left
        found = parked.cache.find(tokens)
        alive = parked.alive()
        best = max((common(value, tokens) for value in alive.values()), default=0)
        assert (found[1] if found else 0) == best
        if found:
            assert common(alive[found[0]], tokens) == best
        assert len(parked.cache) == len(alive)
        for one, first in alive.items():
            assert not any(
                common(first, other) == len(first) for two, other in alive.items() if two != one
            )
