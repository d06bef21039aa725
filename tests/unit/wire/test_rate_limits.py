"""The headers by which clients see how their limits stand."""

import pytest

from openfm.core.limits import Limit, Measure, Standing
from openfm.wire.rate_limits import provision_headers, rate_limit_headers

REQUESTS = Limit("ann", Measure.REQUESTS, 600, 60)
TOKENS = Limit("ann", Measure.TOKENS, 20_000, 60)
OUTPUT = Limit("all callers", Measure.OUTPUT_TOKENS, 5000, 3600)
PLACES = Limit("ann", Measure.CONCURRENCY, 4, None)


def test_requests_and_tokens_each_show_the_limit_with_the_least_share_left() -> None:
    standings = [
        Standing(REQUESTS, 1, 0.12),
        Standing(TOKENS, 5000, 12.0),
        Standing(OUTPUT, 4000, 3599.2),
        Standing(PLACES, 4, 0.0),
    ]
    assert rate_limit_headers(standings) == [
        (b"x-ratelimit-limit-requests", b"600"),
        (b"x-ratelimit-remaining-requests", b"599"),
        (b"x-ratelimit-reset-requests", b"120ms"),
        (b"x-ratelimit-limit-tokens", b"5000"),
        (b"x-ratelimit-remaining-tokens", b"1000"),
        (b"x-ratelimit-reset-tokens", b"1h0m0s"),
    ]


def test_what_is_not_limited_has_no_header() -> None:
    assert rate_limit_headers([]) == []
    assert rate_limit_headers([Standing(PLACES, 1, 0.0)]) == []
    assert len(rate_limit_headers([Standing(TOKENS, 1, 0.0)])) == 3


def test_more_used_than_allowed_leaves_nothing_not_less() -> None:
    assert rate_limit_headers([Standing(TOKENS, 20_400, 1.0)])[1] == (b"x-ratelimit-remaining-tokens", b"0")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, b"0ms"),
        (0.0004, b"1ms"),
        (0.9999, b"1s"),
        (1.11, b"1.2s"),
        (59.95, b"1m0s"),
        (60.0, b"1m0s"),
        (359.2, b"6m0s"),
        (3661.0, b"1h1m1s"),
        (86_400.0, b"24h0m0s"),
    ],
)
def test_times_are_written_as_openai_writes_them_and_never_shorter(seconds: float, written: bytes) -> None:
    assert rate_limit_headers([Standing(TOKENS, 1, seconds)])[2] == (b"x-ratelimit-reset-tokens", written)


def test_utilisation_and_spillover_are_told_where_there_are_any() -> None:
    assert provision_headers(None, None) == []
    assert provision_headers(0.87349, None) == [(b"x-openfm-utilization", b"0.873")]
    assert provision_headers(1.2, "shared") == [(b"x-openfm-utilization", b"1.200"), (b"x-openfm-spillover", b"shared")]
