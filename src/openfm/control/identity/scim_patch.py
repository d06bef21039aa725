"""SCIM PATCH (RFC 7644, 3.5.2): operations on a resource as JSON, before it is judged as a whole."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openfm.control.identity.scim_filter import parse_filter
from openfm.core.errors import InvalidParameterValue

_PATH = re.compile(r"(?P<name>[$\w:.\-]+?)(?:\[(?P<filter>.*)\])?(?:\.(?P<sub>\w+))?", re.DOTALL)
_MOST_OPERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Operation:
    """`add`, `remove` or `replace`; without a path, `value` has the attributes themselves."""

    op: str
    path: str | None
    value: Any


def patched(resource: Mapping[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """The resource after the operations. Raises `InvalidParameterValue`."""
    changed = dict(resource)
    for number, operation in enumerate(operations):
        if number >= _MOST_OPERATIONS:
            raise InvalidParameterValue(f"Operations may have {_MOST_OPERATIONS} entries.", param="Operations")
        _apply(changed, operation)
    return changed


def _apply(resource: dict[str, Any], operation: Operation) -> None:
    op = operation.op.lower()
    if op not in ("add", "remove", "replace"):
        raise InvalidParameterValue("op must be add, remove or replace.", param="Operations.op")
    if op != "remove" and operation.value is None:
        raise InvalidParameterValue(
            f'{op} needs a value. Some clients leave out false: send "false" as a text.', param="Operations.value"
        )
    if operation.path:
        _apply_at(resource, op, operation.path, operation.value)
        return
    if op == "remove" or not isinstance(operation.value, Mapping):
        raise InvalidParameterValue(
            "An operation without a path needs an object as its value; remove needs a path.", param="Operations.path"
        )
    for path, value in operation.value.items():
        _apply_at(resource, op, str(path), value)


def _apply_at(resource: dict[str, Any], op: str, path: str, value: Any) -> None:
    match = _PATH.fullmatch(path)
    if match is None:
        raise InvalidParameterValue(f"path '{path}' cannot be read.", param="Operations.path")
    name, sub = match["name"].rsplit(":", 1)[-1], match["sub"]
    key = next((known for known in resource if known.lower() == name.lower()), name)
    if match["filter"] is not None:
        resource[key] = _filtered(resource.get(key), match["filter"], sub, None if op == "remove" else value)
    elif sub is not None:
        held = resource.get(key)
        inner = dict(held) if isinstance(held, Mapping) else {}
        _set(inner, op, sub, value)
        resource[key] = inner
    else:
        _set(resource, op, key, value)


def _set(target: dict[str, Any], op: str, key: str, value: Any) -> None:
    held = target.get(key)
    match op:
        case "add" if isinstance(held, list):
            given = value if isinstance(value, list) else [value]
            kept = {_identity(item) for item in given}
            target[key] = [item for item in held if _identity(item) not in kept] + given
        case "add" | "replace":
            target[key] = value
        case _ if value is not None and isinstance(held, list):
            gone = {_identity(item) for item in (value if isinstance(value, list) else [value])}
            target[key] = [item for item in held if _identity(item) not in gone]
        case _:
            target.pop(key, None)


def _filtered(held: Any, condition: str, sub: str | None, value: Any) -> list[Any]:
    """The list without the entries that match, or with this value in them."""
    items = held if isinstance(held, list) else []
    matches = parse_filter(condition)
    if value is None and sub is None:
        return [item for item in items if not _matches(matches, item)]
    return [_changed(item, sub, value) if _matches(matches, item) else item for item in items]


def _matches(matches: Any, item: Any) -> bool:
    return isinstance(item, Mapping) and bool(matches(item))


def _changed(item: Mapping[str, Any], sub: str | None, value: Any) -> dict[str, Any]:
    return {**item, sub: value} if sub is not None else {**item, **(value if isinstance(value, Mapping) else {})}


def _identity(item: Any) -> str:
    return str(item.get("value")) if isinstance(item, Mapping) else str(item)
