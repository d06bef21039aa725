"""Names of registered models, aliases and version numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.core.errors import InvalidParameterValue
from openfm.core.registry import FileEntry, ModelName, checked_alias, manifest_digest, version_number


def parsed(text: str) -> ModelName | InvalidParameterValue:
    try:
        return ModelName.parse(text)
    except InvalidParameterValue as error:
        return error


@given(st.text())
def test_a_name_is_three_clean_levels_or_refused(text: str) -> None:
    name = parsed(text)
    if isinstance(name, InvalidParameterValue):
        assert name.param == "name"
        assert name.message.isprintable()
        return
    assert name.full_name == text.lower()
    assert ModelName.parse(name.full_name) == name
    for level in (name.catalog, name.schema, name.model):
        assert 0 < len(level) <= 255
        assert level.isprintable()
        assert not set("./\\ ") & set(level)


LEVEL = st.text(st.characters(codec="utf-8", categories=("L", "N", "Pd", "Pc", "S")), min_size=1, max_size=60)


@given(LEVEL, LEVEL, LEVEL)
def test_letters_digits_dashes_and_quotes_are_names(catalog: str, schema: str, model: str) -> None:
    assert ModelName.parse(f"{catalog}.{schema}.{model}").model == model.lower()


@pytest.mark.parametrize(
    "text",
    ["", "a", "a.b", "a.b.c.d", "..", "a..c", "a.b.", "a.b.c/d", "a.b.c\\d", "a.b. c", "a.b.c\n", "a.b.\0", "a.b.\x7f",
     "a.b." + "c" * 256, "../../etc.passwd.x", "a.b.\ud800", "a.b.\u2028"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterValue):
        ModelName.parse(text)


def test_names_that_look_like_sql_are_names() -> None:
    assert ModelName.parse("a.b.c';drop").model == "c';drop"


@pytest.mark.parametrize(("given_as", "number"), [(3, 3), ("3", 3), ("007", 7)])
def test_versions_are_whole_numbers_also_as_text(given_as: str | int, number: int) -> None:
    assert version_number(given_as) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "", "champion", "@champion", "٣", 2**63, " 1", "1\n"])
def test_what_is_no_version_is_refused(text: str | int) -> None:
    with pytest.raises(InvalidParameterValue, match="no model version"):
        version_number(text)


@pytest.mark.parametrize("alias", ["latest", "Latest", "v1", "V20", "", "a b", "a/b", "x" * 256, "a\n"])
def test_an_alias_that_could_be_a_version_is_refused(alias: str) -> None:
    with pytest.raises(InvalidParameterValue, match="no alias"):
        checked_alias(alias)


def test_equal_files_have_equal_digests_whenever_they_came() -> None:
    one = {"a": FileEntry("d1", 1, 5), "b": FileEntry("d2", 2, 6)}
    other = {"b": FileEntry("d2", 2, 7), "a": FileEntry("d1", 1, 8)}
    assert manifest_digest(one) == manifest_digest(other)
    assert manifest_digest(one) != manifest_digest({"a": FileEntry("d1", 1, 5)})
