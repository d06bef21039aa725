"""Calls of `ai_query` and named parameters: what Databricks' users write, made into what DuckDB runs.

All of it happens in DuckDB's own tree (see `judge`), but for the colon of a parameter, which DuckDB does not read.
"""

import re
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy

from openfm.metering.sql.judge import Node, Refused, nodes
from openfm.metering.sql.kinds import UnknownKind, duckdb_kind

TRIED = "ai_query_or_error"
"""The macro that a call with `failOnError => false` becomes: a struct of result and errorMessage."""

_CALL = "ai_query"
_NEEDED = 2
_KEPT = ("modelParameters", "responseFormat")
_OPTIONS = ("returnType", "failOnError", *_KEPT)
_FREE_OR_COLON = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$ | --[^\n]* | /\*.*?\*/ | :: | :([A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)

Casting = Callable[[str], Node]
"""The node of a value of this DuckDB type; its `child` is what is cast."""


def with_markers(text: str, names: Collection[str]) -> str:
    """The text with `$name` for each `:name` of these names; what is quoted or a comment stays."""

    def marked(match: re.Match[str]) -> str:
        return f"${match[2]}" if match[2] in names else match[0]

    return _FREE_OR_COLON.sub(marked, text)


def bind(tree: Node, values: Mapping[str, Node]) -> None:
    """Put the values in where they are named. Raises `Refused` for a name without one."""
    for node in nodes(tree):
        if node.get("class") != "PARAMETER":
            continue
        value = values.get(str(node["identifier"]))
        if value is None:
            raise Refused(f"The parameter :{node['identifier']} has no value. Name it among the parameters.")
        alias = node.get("alias", "")
        node.clear()
        node.update(deepcopy(value), alias=alias)


def rewrite(tree: Node, embedding_endpoints: Collection[str], casting: Casting) -> bool:
    """Make each call of `ai_query` one of our macros, cast to what it returns; whether there are any.

    Raises `Refused` for options that nobody knows.
    """
    calls = [node for node in nodes(tree) if str(node.get("function_name", "")).lower() == _CALL]
    for call in calls:
        _rewrite(call, embedding_endpoints, casting)
    return bool(calls)


def _rewrite(call: Node, embedding_endpoints: Collection[str], casting: Casting) -> None:
    options = _options(call)
    fails = _constant(options, "failOnError", "BOOLEAN") != "false"
    kind = _constant(options, "returnType", "STRING")
    if kind is None and _literal(call["arguments"][0]["expression"]) in embedding_endpoints:
        kind = "ARRAY<FLOAT>"
    if not fails:
        call |= {"function_name": TRIED, "qualified_name": {"path": [TRIED]}}
    if kind is None:
        return
    try:
        wanted = duckdb_kind(kind)
    except UnknownKind as error:
        raise Refused(f"returnType: {error} is no type here. STRING, DOUBLE, ARRAY<FLOAT>, STRUCT<…> are.") from None
    cast = casting(wanted if fails else f"STRUCT(result {wanted}, errorMessage VARCHAR)")
    inner = {**call, "alias": ""}
    cast |= {"child": inner, "alias": call.get("alias", ""), "try_cast": not fails}
    call.clear()
    call.update(cast)


def _options(call: Node) -> dict[str, Node]:
    """The call's options. Those that DuckDB is not to see leave it, and the others have the names that it expects."""
    given = call["arguments"]
    if len(given) < _NEEDED or any(argument["name"] for argument in given[:_NEEDED]):
        raise Refused("ai_query needs an endpoint's name and a request: ai_query('endpoint', text).")
    options: dict[str, Node] = {}
    for position, argument in enumerate(given[_NEEDED:]):
        name = argument["name"] or (_OPTIONS[position] if position < len(_OPTIONS) else "")
        known = {one.lower(): one for one in _OPTIONS}.get(name.lower())
        if known is None or known in options:
            raise Refused(f"ai_query has no option '{name}' here. It has: {', '.join(_OPTIONS)}.")
        options[known] = argument["expression"]
    kept = [{"name": name, "expression": options[name] | {"alias": name}} for name in _KEPT if name in options]
    call["arguments"] = [*given[:_NEEDED], *kept]
    return options


def _constant(options: Mapping[str, Node], name: str, kind: str) -> str | None:
    """The text of an option that must be written out."""
    if name not in options:
        return None
    node = options[name]
    if node.get("class") != "CONSTANT" or node.get("literal", {}).get("kind") != kind:
        raise Refused(f"{name} of ai_query must be written out, as in failOnError => false or returnType => 'DOUBLE'.")
    return str(node["literal"]["text"])


def _literal(node: Node) -> str | None:
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    return str(literal["text"]) if "text" in literal else None
