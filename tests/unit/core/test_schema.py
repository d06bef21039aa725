import json

import pytest

from openfm.core.errors import InvalidRequest
from openfm.core.schema import enforceable_schema


def deep(levels: int) -> dict[str, object]:
    schema: dict[str, object] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def test_a_usual_schema_passes_with_its_patterns_rewritten() -> None:
    schema = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": r"^\d$"}, "not": {"enum": [1]}},
        "required": ["pattern"],
    }
    checked = enforceable_schema(schema)
    assert checked["properties"] == {"pattern": {"type": "string", "pattern": "^[0-9]$"}, "not": {"enum": [1]}}


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": list(range(1001))},
        {"anyOf": [{"enum": list(range(600))}, {"enum": list(range(600))}]},
        {"description": "x" * 70_000},
        {"type": "array", "minItems": 10**9},
        {"type": "array", "minItems": -1},
        {"type": "string", "maxLength": 10**4},
        {"type": "string", "maxLength": 2.5},
        {"type": "string", "maxLength": True},
        {"anyOf": [{"type": "string", "maxLength": 1000} for _ in range(5)]},
        {"type": "integer", "maximum": 10**30},
        {"anyOf": [{} for _ in range(2001)]},
        {"not": {}},
        {"properties": {"a": {"if": {}}}},
        {"type": "string", "pattern": "open"},
        {"type": "string", "pattern": 5},
        {"const": float("nan")},
        deep(33),
        deep(900),
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_what_could_stop_an_engine_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        enforceable_schema(schema)


def test_thirty_two_levels_are_allowed() -> None:
    enforceable_schema(deep(32))
