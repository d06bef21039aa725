"""Registered models: made, found, changed, deleted; their aliases and tags. Every method blocks: it asks the database.

A catalog and a schema exist as soon as, and as long as, a model is in them.
"""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from openfm.control.registry import repository
from openfm.control.registry.resources import Resources
from openfm.core.errors import AlreadyExists, InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.principal import Principal
from openfm.core.registry import ModelName, ModelVersion, RegisteredModel, checked_alias, version_number

DEFAULT_RESULTS = 100
MOST_RESULTS = 1000
_LONGEST_TAG_KEY = 256
_LONGEST_TAG_VALUE = 5000
_LONGEST_COMMENT = 65_535


@dataclass(frozen=True, slots=True)
class ModelChanges:
    """What to change; None leaves a thing as it is."""

    comment: str | None = None
    owner: str | None = None
    new_name: ModelName | None = None


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Some models, and the token of the next page, empty at the end."""

    models: Sequence[RegisteredModel]
    next_page_token: str


class Models:
    """Registered models."""

    def __init__(self, resources: Resources) -> None:
        self._own = resources

    def create(
        self, name: ModelName, caller: Principal, comment: str = "", tags: Mapping[str, str] | None = None
    ) -> RegisteredModel:
        """A new model, owned by the caller. Raises `AlreadyExists`."""
        if name.is_system:
            raise PermissionDenied(
                f"The catalog '{name.catalog}' is openfm's own. Choose another catalog, like 'main'."
            )
        stamp = self._own.stamp(caller)
        model = RegisteredModel(
            name=name,
            id=uuid.uuid4().hex,
            comment=checked_comment(comment),
            owner=caller.name,
            created_at=stamp.at,
            created_by=stamp.by,
            updated_at=stamp.at,
            updated_by=stamp.by,
            tags=checked_tags(tags or {}),
        )
        with self._own.database.transaction(self._own.grants.take_over) as connection:
            if repository.find_model(connection, name) is not None:
                raise AlreadyExists(
                    f"The registered model '{name}' exists already. Add a version to it, or choose another name.",
                    param="name",
                )
            repository.insert_model(connection, model)
            self._own.grants.own_model(connection, model.id, caller)
        return model

    def get(self, name: ModelName, caller: Principal) -> RegisteredModel:
        """The model. Raises `NotFound`, `PermissionDenied`."""
        with self._own.database.transaction() as connection:
            return self._own.viewable(connection, name, caller)

    def list(self, caller: Principal, prefix: str, max_results: int | None, page_token: str) -> ModelPage:
        """Models that the caller may execute, whose full name begins with `prefix`, by name."""
        limit, after = page_limit(max_results), _read_token(page_token) or None
        with self._own.database.transaction() as connection:
            visible = [
                name for name in repository.model_names(connection, prefix, after) if self._may_see(caller, name)
            ]
            shown = repository.models_named(connection, visible[:limit])
        return ModelPage(shown, page_token_after(visible[limit - 1]) if len(visible) > limit else "")

    def schemas(self, caller: Principal) -> Sequence[tuple[str, str]]:
        """Catalog and schema of every model that the caller may execute; they exist as long as a model is in them."""
        with self._own.database.transaction() as connection:
            names = [name for name in repository.model_names(connection, "", None) if self._may_see(caller, name)]
        return sorted({(name.catalog, name.schema) for name in map(ModelName.parse, names)})

    def update(self, name: ModelName, caller: Principal, changes: ModelChanges) -> RegisteredModel:
        """Change the model. Raises `Conflict` for a new name while an endpoint serves it."""
        values: dict[str, Any] = {}
        if changes.comment is not None:
            values["comment"] = checked_comment(changes.comment)
        if changes.owner:
            values["owner"] = changes.owner
        final = changes.new_name or name
        if final.is_system:
            raise PermissionDenied(
                f"The catalog '{final.catalog}' is openfm's own. Choose another catalog, like 'main'."
            )
        with self._own.served.settled(), self._own.database.transaction(self._own.grants.take_over) as connection:
            known = self._own.changeable(connection, name, caller)
            if changes.owner:
                self._own.grants.hand_over_model(connection, known.id, changes.owner)
            if final != name:
                self._refuse_while_served(connection, name, "renamed")
                if repository.find_model(connection, final) is not None:
                    raise AlreadyExists(f"The registered model '{final}' exists already.", param="new_name")
                values["full_name"] = final.full_name
            repository.change_model(connection, name, values, self._own.stamp(caller))
            model = self._own.model(connection, final)
        if final != name:
            self._own.end_uploads(name)
        return model

    def delete(self, name: ModelName, caller: Principal) -> None:
        """Remove the model with all versions and files. Raises `Conflict` while an endpoint serves it."""
        with self._own.served.settled(), self._own.database.transaction(self._own.grants.take_over) as connection:
            self._own.changeable(connection, name, caller)
            self._refuse_while_served(connection, name, "deleted")
            repository.delete_model(connection, name)
        self._own.end_uploads(name)
        self._own.collect()

    def set_alias(self, name: ModelName, caller: Principal, alias: str, version: int) -> None:
        """Point the alias to the version."""
        checked_alias(alias)
        with self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            self._own.version(connection, name, version)
            repository.set_alias(connection, name, alias, version)

    def delete_alias(self, name: ModelName, caller: Principal, alias: str) -> None:
        """Remove the alias. Raises `NotFound`."""
        with self._own.database.transaction() as connection:
            self._own.changeable(connection, name, caller)
            if not repository.delete_alias(connection, name, alias):
                raise alias_not_found(name, alias)

    def by_alias(self, name: ModelName, caller: Principal, alias: str) -> ModelVersion:
        """The version that the alias points to. Raises `NotFound`."""
        with self._own.database.transaction() as connection:
            model = self._own.viewable(connection, name, caller)
            number = model.aliases.get(alias)
            if number is None:
                raise alias_not_found(name, alias)
            return self._own.version(connection, name, number)

    def set_tags(self, name: ModelName, caller: Principal, changes: Mapping[str, str | None]) -> None:
        """Set tags; None removes one."""
        with self._own.database.transaction() as connection:
            model = self._own.changeable(connection, name, caller)
            values = {"tags": dict(changed_tags(model.tags, changes))}
            repository.change_model(connection, name, values, self._own.stamp(caller))

    def _may_see(self, caller: Principal, full_name: str) -> bool:
        return self._own.grants.may_execute(caller, full_name)

    def _refuse_while_served(self, connection: Connection, name: ModelName, what: str) -> None:
        self._own.refuse_while_served(repository.version_ids(connection, name), f"The model '{name}'", what)


def alias_not_found(name: ModelName, alias: str) -> NotFound:
    """The model has no such alias."""
    return NotFound(f"The registered model '{name}' has no alias '{alias}'.", param="alias")


def checked_comment(comment: str) -> str:
    """The comment. Raises `InvalidParameterValue` for one that is too long."""
    if len(comment) > _LONGEST_COMMENT:
        raise InvalidParameterValue(f"A comment may have {_LONGEST_COMMENT} characters.", param="comment")
    return comment


def checked_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags. Raises `InvalidParameterValue` for an empty key, or for what is too long."""
    for key, value in tags.items():
        if not key or len(key) > _LONGEST_TAG_KEY or len(value) > _LONGEST_TAG_VALUE:
            raise InvalidParameterValue(
                f"A tag's key has 1 to {_LONGEST_TAG_KEY} characters, its value up to {_LONGEST_TAG_VALUE}.",
                param="tags",
            )
    return tags


def changed_tags(tags: Mapping[str, str], changes: Mapping[str, str | None]) -> Mapping[str, str]:
    """The tags after these changes; None removes one."""
    kept = {key: value for key, value in tags.items() if key not in changes}
    return checked_tags(kept | {key: value for key, value in changes.items() if value is not None})


def page_limit(max_results: int | None) -> int:
    """How many rows to show. Raises `InvalidParameterValue` for a negative number."""
    if max_results is not None and max_results < 0:
        raise InvalidParameterValue("max_results cannot be negative.", param="max_results")
    return min(max_results or DEFAULT_RESULTS, MOST_RESULTS)


def page_token_after(key: str) -> str:
    """The token of the page that begins after this key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise _foreign_token() from None


def version_after(token: str) -> int | None:
    """The version that the page of this token begins after, None for the first page."""
    text = _read_token(token)
    if not text:
        return None
    try:
        return version_number(text)
    except InvalidParameterValue:
        raise _foreign_token() from None


def _foreign_token() -> InvalidParameterValue:
    return InvalidParameterValue("This page_token is none of ours; begin without one.", param="page_token")
