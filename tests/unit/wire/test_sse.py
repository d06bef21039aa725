from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import EngineFailed
from openfm.wire.sse import SseDecoder

STREAM = (
    ': ping\n\ndata: {"a":1}\n\nevent: x\ndata:two\ndata: lines\n\nid: 7\n\ndata: ü\r\n\r\ndata: [DONE]\r\r'.encode()
)
PAYLOADS = [b'{"a":1}', b"two\nlines", "ü".encode(), b"[DONE]"]


def test_comments_and_other_fields_are_ignored() -> None:
    assert SseDecoder().feed(STREAM) == PAYLOADS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_bytes_are_split_does_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    decoder = SseDecoder()
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert [payload for piece in pieces for payload in decoder.feed(piece)] == PAYLOADS


def test_an_event_cut_off_by_the_end_is_not_delivered() -> None:
    assert SseDecoder().feed(b"data: half") == []
    assert SseDecoder().feed(b"data: half\n") == []


def test_an_endless_line_is_an_error() -> None:
    decoder = SseDecoder(max_line_bytes=10)
    with pytest.raises(EngineFailed):
        decoder.feed(b"data: 1234567890")
