"""Inputs near the well-formed ones: the places where parsers break.

`mutated` is a hypothesis strategy over a target's examples; it cuts, doubles, exchanges and puts in words of
the format. What hypothesis finds it also makes small.
"""

from hypothesis import strategies as st

from tests.fuzz.target import Target

_LONGEST_PIECE = 64


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Bytes to feed to `target`: mostly near its examples, sometimes any."""
    return st.one_of(_mutated(target), _mutated(target), _mutated(target), st.binary(max_size=256))


@st.composite
def _mutated(draw: st.DrawFn, target: Target) -> bytes:
    data = draw(st.sampled_from(target.examples))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, _LONGEST_PIECE)))
        piece = draw(_pieces(target, data[begin:end]))
        data = data[:begin] + piece + data[end:]
    return data


def _pieces(target: Target, there: bytes) -> st.SearchStrategy[bytes]:
    choices = [
        st.just(b""),
        st.binary(max_size=8),
        st.integers(2, 40).map(lambda times: there * times),
        st.integers(0, max(0, len(there) - 1)).map(lambda at: there[at:] + there[:at]),
    ]
    if target.words:
        words = st.lists(st.sampled_from(target.words), min_size=1, max_size=3)
        choices += [words.map(b"".join)] * 2
    return st.one_of(choices)
