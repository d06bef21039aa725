"""JSON schemas that callers send: bounded before an engine sees them.

Engines compile a schema to a grammar, in native code and on the thread that serves every sequence. Measured on
llama.cpp: an enum of 4,000 values or three nested bounded repetitions stop it for seconds a token, five nested ones
for good. So size, depth and every bound are limited here, and keywords that would silently not be enforced are
refused. Numeric bounds on `number`, `multipleOf`, `uniqueItems`, `minProperties` and `maxProperties` are let through
but not enforced, as on Databricks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from openfm.core.errors import InvalidRequest
from openfm.core.pattern import rewrite_pattern

MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 32
MAX_SCHEMA_NODES = 2000
MAX_ENUM_VALUES = 1000
MAX_BOUND = 1000
MAX_TOTAL_BOUND = 4000
MAX_INTEGER = 2**53

_BOUNDS = ("minItems", "maxItems", "minLength", "maxLength")
_REFUSED = frozenset(
    (
        "not",
        "if",
        "then",
        "else",
        "contains",
        "patternProperties",
        "propertyNames",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedItems",
        "unevaluatedProperties",
        "$dynamicRef",
    )
)
_NAMED_SCHEMAS = ("properties", "$defs", "definitions")
_LITERAL_KEYWORDS = frozenset(("enum", "const", "default", "examples", "required", "description", "title"))


@dataclass(slots=True)
class _Budget:
    """What is left while walking one schema."""

    param: str
    nodes: int = MAX_SCHEMA_NODES
    enum_values: int = MAX_ENUM_VALUES
    bounds: int = MAX_TOTAL_BOUND

    def refuse(self, why: str) -> InvalidRequest:
        return InvalidRequest(f"The JSON schema {why}. Simplify it.", param=self.param)


def enforceable_schema(schema: Mapping[str, object], param: str = "response_format") -> dict[str, object]:
    """A copy of the schema that an engine can enforce safely; patterns are rewritten to what grammars know.

    Raises `InvalidRequest` naming the limit or keyword.
    """
    budget = _Budget(param)
    if _depth_exceeds(schema, 2 * MAX_SCHEMA_DEPTH):
        raise budget.refuse(f"is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    try:
        size = len(json.dumps(schema, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise budget.refuse(f"is not JSON: {error}") from None
    if size > MAX_SCHEMA_BYTES:
        raise budget.refuse(f"is {size} bytes long, {MAX_SCHEMA_BYTES} are allowed")
    return _walk(schema, 0, budget)


def _depth_exceeds(value: object, left: int) -> bool:
    children: list[object] = []
    if isinstance(value, Mapping):
        children = list(value.values())
    elif isinstance(value, list | tuple):
        children = list(value)
    return bool(children) and (left == 0 or any(_depth_exceeds(child, left - 1) for child in children))


def _walk(schema: Mapping[str, object], depth: int, budget: _Budget) -> dict[str, object]:
    budget.nodes -= 1
    if budget.nodes < 0:
        raise budget.refuse(f"has more than {MAX_SCHEMA_NODES} parts")
    if depth > MAX_SCHEMA_DEPTH:
        raise budget.refuse(f"is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    refused = _REFUSED.intersection(schema)
    if refused:
        raise budget.refuse(f"uses '{min(refused)}', which cannot be enforced while generating")
    _check_bounds(schema, budget)
    return {keyword: _keyword(keyword, value, depth, budget) for keyword, value in schema.items()}


def _keyword(keyword: str, value: object, depth: int, budget: _Budget) -> object:
    if keyword in _NAMED_SCHEMAS and isinstance(value, Mapping):
        return {name: _value(sub, depth + 1, budget) for name, sub in value.items()}
    if keyword == "enum" and isinstance(value, list | tuple):
        budget.enum_values -= len(value)
        if budget.enum_values < 0:
            raise budget.refuse(f"lists more than {MAX_ENUM_VALUES} enum values")
    if keyword in _LITERAL_KEYWORDS:
        return value
    if keyword == "pattern":
        if not isinstance(value, str):
            raise budget.refuse("has a 'pattern' that is no string")
        return rewrite_pattern(value, budget.param)
    return _value(value, depth + 1, budget)


def _value(value: object, depth: int, budget: _Budget) -> object:
    if isinstance(value, Mapping):
        return _walk(value, depth, budget)
    if isinstance(value, list | tuple):
        return [_value(item, depth, budget) for item in value]
    return value


def _check_bounds(schema: Mapping[str, object], budget: _Budget) -> None:
    for name in _BOUNDS:
        bound = schema.get(name)
        if bound is None:
            continue
        if isinstance(bound, bool) or not isinstance(bound, int) or not 0 <= bound <= MAX_BOUND:
            raise budget.refuse(f"has {name} {str(bound)[:20]}; it must be an integer from 0 to {MAX_BOUND}")
        budget.bounds -= bound
    if budget.bounds < 0:
        raise budget.refuse(f"has bounds (items, lengths) that sum to more than {MAX_TOTAL_BOUND}")
    if schema.get("type") == "integer":
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            limit = schema.get(name, 0)
            if isinstance(limit, int | float) and abs(limit) > MAX_INTEGER:
                raise budget.refuse(f"has {name} beyond ±2^53")
