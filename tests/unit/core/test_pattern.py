import re

import pytest

from openfm.core.errors import InvalidRequest
from openfm.core.pattern import rewrite_pattern


@pytest.mark.parametrize(
    ("pattern", "rewritten"),
    [
        (r"^\d{3}$", "^[0-9]{3}$"),
        (r"^[\w.]+$", r"^[0-9A-Z_a-z\x2E]+$"),
        ("^a|b$", "^(a|b)$"),
        ("^(?:ab)?$", "^(ab)?$"),
        (r"^a\.b$", r"^a\.b$"),
        ("^日+$", "^日+$"),
    ],
)
def test_a_pattern_is_written_in_what_grammars_know(pattern: str, rewritten: str) -> None:
    assert rewrite_pattern(pattern, "p") == rewritten


@pytest.mark.parametrize("pattern", ["^.*$", "^[^x]*$", "^[ -~]*$", r"^[A-z]*$"])
def test_what_json_escapes_is_taken_out(pattern: str) -> None:
    rewritten = rewrite_pattern(pattern, "p")
    assert re.fullmatch(rewritten, "Hello")
    for unsafe in '"\\\n\x00':
        assert not re.fullmatch(rewritten, unsafe)


@pytest.mark.parametrize(
    "pattern",
    [
        "abc",
        "^abc",
        "^abc\\$",
        "^(a$",
        "^a)$",
        "^[a$",
        "^[]$",
        "^*$",
        "^a**$",
        "^a+?$",
        "^(?=a)$",
        "^(?P<x>a)$",
        r"^\1$",
        r"^\bx$",
        "^a{2,1}$",
        "^a{1000}$",
        "^a{99999999999999999999}$",
        "^a{x}$",
        '^"$',
        "^a^b$",
        "^" + "(" * 100 + "a" + ")" * 100 + "$",
        "^" + "a" * 600 + "$",
        "^((((a{0,30}){0,30}){0,30}){0,30}){0,30}$",
        "^((a{0,8}){0,8}){0,8}$",
        "^(a?){0,256}$",
        "^([a-z]{0,10} ?){0,20}$",
        "^(a?|b?|c?){0,30}$",
        "^" + "a?" * 65 + "$",
        "^[z-a]$",
    ],
)
def test_what_cannot_be_enforced_or_would_explode_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rewrite_pattern(pattern, "response_format")
    assert caught.value.param == "response_format"
