"""Stop strings, however the text is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.engine.stops import StopStrings, checked_stops
from qingyu.errors import InvalidRequestError


def run(stops: list[str], pieces: list[str]) -> tuple[str, str | None]:
    watch = StopStrings(stops)
    shown = ""
    for piece in pieces:
        text, stopped = watch.push(piece)
        shown += text
        if stopped:
            return shown, watch.matched
    return shown + watch.release(), None


def test_a_stop_over_several_pieces_never_shows() -> None:
    assert run(["\n\nUser:"], ["Hello\n", "\nUs", "er", ": next"]) == ("Hello", "\n\nUser:")


def test_text_is_held_only_while_it_may_become_a_stop() -> None:
    watch = StopStrings(["abc"])
    assert watch.push("xa") == ("x", False)
    assert watch.push("b") == ("", False)
    assert watch.push("d") == ("abd", False)
    assert watch.push("ab") == ("", False)
    assert watch.release() == "ab"


def test_repetitions_inside_a_stop() -> None:
    assert run(["aab"], list("aaaab")) == ("aa", "aab")
    assert run(["abab!"], ["ababab!"]) == ("ab", "abab!")


def test_the_longer_of_two_that_end_together_wins() -> None:
    assert run(["b", "ab"], ["xab"]) == ("x", "ab")


@given(
    st.lists(st.text(alphabet="ab", min_size=1, max_size=4), min_size=1, max_size=3),
    st.text(alphabet="ab", max_size=20),
    st.lists(st.integers(0, 20), max_size=5),
)
def test_cutting_does_not_matter(stops: list[str], text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    shown, matched = run(stops, pieces)
    assert (shown, matched) == run(stops, list(text))
    # Against the definition: the first end of a stop, the longest that ends there.
    for end in range(len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            longest = max(ending, key=len)
            assert (shown, matched) == (text[: end - len(longest)], longest)
            return
    assert (shown, matched) == (text, None)


def test_stops_are_checked() -> None:
    assert checked_stops(None) == ()
    assert checked_stops("a") == ("a",)
    assert checked_stops(["a", "b", "a"]) == ("a", "b")
    for wrong in ("", ["a", ""], [1], ["x"] * 65, "x" * 1025):
        with pytest.raises(InvalidRequestError):
            checked_stops(wrong)  # type: ignore[arg-type]
