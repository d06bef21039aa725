"""Models and versions: who may do what, what an end of a registration means, and what is refused."""

from pathlib import Path

import pytest

from openfm.control.registry.service import ModelChanges, Models, page_token_after
from openfm.control.registry.setup import Registry
from openfm.control.registry.versions import NewVersion, Versions
from openfm.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidParameterValue,
    NotFound,
    PermissionDenied,
)
from openfm.core.registry import BASE_TAG, QUANTIZATION_TAG, SOURCE_KIND_TAG, ModelName, VersionStatus
from openfm.weights.errors import CorruptModel, UnsupportedModel
from tests.unit.control.registry.conftest import ADMIN, FACTS, NAME, OTHER, OWNER, Inspected, World, contents, put

LOCAL = NewVersion(source="/m.gguf", tags={SOURCE_KIND_TAG: "local"})


@pytest.fixture
def models(registry: Registry) -> Models:
    registry.models.create(NAME, OWNER, "a comment", {"team": "nlp"})
    return registry.models


@pytest.fixture
def versions(registry: Registry, models: Models) -> Versions:
    del models
    return registry.versions


def test_a_model_belongs_to_who_made_it(models: Models) -> None:
    model = models.get(NAME, OWNER)
    assert (model.owner, model.comment, dict(model.tags)) == (OWNER.name, "a comment", {"team": "nlp"})
    with pytest.raises(AlreadyExists):
        models.create(NAME, OTHER)


def test_others_see_it_only_with_execute_and_never_change_it(models: Models, world: World) -> None:
    with pytest.raises(PermissionDenied, match="no EXECUTE"):
        models.get(NAME, OTHER)
    assert NAME not in {model.name for model in models.list(OTHER, "", None, "").models}
    world.executors.add(OTHER.name)
    assert models.get(NAME, OTHER).name == NAME
    for change in (
        lambda: models.update(NAME, OTHER, ModelChanges(comment="x")),
        lambda: models.delete(NAME, OTHER),
        lambda: models.set_alias(NAME, OTHER, "champion", 1),
        lambda: models.set_tags(NAME, OTHER, {"a": "b"}),
    ):
        with pytest.raises(PermissionDenied, match="not change it"):
            change()
    assert models.update(NAME, ADMIN, ModelChanges(owner=OTHER.name)).owner == OTHER.name


def test_the_platforms_models_cannot_be_changed_by_anybody(registry: Registry) -> None:
    name = ModelName.parse("system.ai.minilm_l6_v2")
    assert registry.models.get(name, OTHER).owner == "System user"
    with pytest.raises(PermissionDenied):
        registry.models.delete(name, ADMIN)
    with pytest.raises(PermissionDenied):
        registry.models.create(ModelName.parse("system.ai.mine"), ADMIN)
    registry.prepare()
    assert registry.versions.get(name, OTHER, 1).status is VersionStatus.READY


def test_lists_come_in_pages_by_schema(registry: Registry, models: Models) -> None:
    for text in ("main.default.a", "main.default.z", "main.other.a", "main_x.default.a"):
        models.create(ModelName.parse(text), OWNER)
    first = models.list(OWNER, "main.default.", 2, "")
    second = models.list(OWNER, "main.default.", 2, first.next_page_token)
    names = [model.name.full_name for model in (*first.models, *second.models)]
    assert names == ["main.default.a", "main.default.m", "main.default.z"]
    assert second.next_page_token == ""
    for token in ("%%%", "ÿ", "a", page_token_after("9" * 5000), page_token_after("9" * 30), page_token_after("٣")):
        with pytest.raises(InvalidParameterValue, match="page_token"):
            registry.versions.list(NAME, OWNER, 1, token)


def test_pages_are_of_what_one_may_see_and_their_tokens_name_nothing_else(models: Models) -> None:
    for text in ("main.default.secret1", "main.default.x", "main.default.z-secret"):
        models.create(ModelName.parse(text), OTHER if text == "main.default.x" else OWNER)
    page = models.list(OTHER, "main.", 1, "")
    assert ([model.name.full_name for model in page.models], page.next_page_token) == (["main.default.x"], "")


def test_a_rename_takes_versions_aliases_and_files_along(registry: Registry, versions: Versions, world: World) -> None:
    versions.create(NAME, OWNER, LOCAL)
    put(registry, "m.gguf", b"weights")
    versions.finalize(NAME, OWNER, 1)
    registry.models.set_alias(NAME, OWNER, "champion", 1)
    new = ModelName.parse("main.default.new")
    assert dict(registry.models.update(NAME, OWNER, ModelChanges(new_name=new)).aliases) == {"champion": 1}
    world.owners[new.full_name] = OWNER.name  # grants follow a model's id, which this world does not know
    assert set(versions.manifest(new, OWNER, 1)) == {"m.gguf"}
    with pytest.raises(NotFound):
        registry.models.get(NAME, OWNER)


def test_what_is_served_is_neither_deleted_nor_renamed(models: Models, versions: Versions, world: World) -> None:
    first = versions.create(NAME, OWNER, LOCAL)
    versions.create(NAME, OWNER, LOCAL)
    world.served.add(first.id)
    for change in (
        lambda: models.delete(NAME, OWNER),
        lambda: versions.delete(NAME, OWNER, 1),
        lambda: models.update(NAME, OWNER, ModelChanges(new_name=ModelName.parse("a.b.c"))),
    ):
        with pytest.raises(Conflict, match="endpoint"):
            change()
    versions.delete(NAME, OWNER, 2)
    world.served.clear()
    models.delete(NAME, OWNER)


def test_version_numbers_are_not_given_twice(versions: Versions) -> None:
    versions.create(NAME, OWNER, LOCAL)
    versions.create(NAME, OWNER, LOCAL)
    versions.delete(NAME, OWNER, 2)
    assert versions.create(NAME, OWNER, LOCAL).version == 3
    assert [version.version for version in versions.list(NAME, OWNER, None, "").versions] == [3, 1]


def test_an_alias_points_to_one_version_and_goes_with_it(models: Models, versions: Versions) -> None:
    versions.create(NAME, OWNER, LOCAL)
    versions.create(NAME, OWNER, LOCAL)
    models.set_alias(NAME, OWNER, "champion", 1)
    models.set_alias(NAME, OWNER, "champion", 2)
    assert models.by_alias(NAME, OWNER, "champion").aliases == ("champion",)
    with pytest.raises(NotFound):
        models.set_alias(NAME, OWNER, "champion", 9)
    versions.delete(NAME, OWNER, 2)
    with pytest.raises(NotFound):
        models.by_alias(NAME, OWNER, "champion")
    with pytest.raises(NotFound):
        models.delete_alias(NAME, OWNER, "champion")


def test_inspection_sees_the_files_under_their_names(registry: Registry, versions: Versions, world: World) -> None:
    versions.create(NAME, OWNER, LOCAL)
    put(registry, "model/a.safetensors", b"weights")
    put(registry, "MLmodel", b"x")
    done = versions.finalize(NAME, OWNER, 1)
    assert world.seen == {"model/a.safetensors": b"weights", "MLmodel": b"x"}
    assert done.status is VersionStatus.READY
    assert done.digest
    assert versions.finalize(NAME, OWNER, 1) == done


def test_files_of_openfm_that_are_corrupt_fail_and_are_collected(
    registry: Registry, versions: Versions, world: World
) -> None:
    world.verdict = CorruptModel("The file is cut off.")
    versions.create(NAME, OWNER, LOCAL)
    put(registry, "m.gguf", b"weights")
    done = versions.finalize(NAME, OWNER, 1)
    assert (done.status, done.status_message) == (VersionStatus.FAILED, "The file is cut off.")
    assert contents(registry) == 0
    with pytest.raises(InvalidParameterValue, match="cut off"):
        versions.finalize(NAME, OWNER, 1)
    with pytest.raises(InvalidParameterValue, match="failed to register: The file is cut off"):
        registry.servable.find(NAME.full_name, 1, OWNER)


def test_what_inspection_found_is_not_kept_for_another_version_of_the_same_name_and_number(
    registry: Registry, models: Models, world: World
) -> None:
    def made_anew(folder: Path) -> Inspected:
        models.delete(NAME, OWNER)
        models.create(NAME, OWNER)
        registry.versions.create(NAME, OWNER, LOCAL)
        return world.inspect(folder)

    registry.versions.create(NAME, OWNER, LOCAL)
    with pytest.raises(NotFound, match="deleted meanwhile"):
        Versions(registry.resources, made_anew).finalize(NAME, OWNER, 1)
    assert registry.versions.get(NAME, OWNER, 1).status is VersionStatus.PENDING


def test_two_who_finalize_at_once_both_learn_that_it_is_ready(
    registry: Registry, versions: Versions, world: World
) -> None:
    def finalized_by_another(folder: Path) -> Inspected:
        versions.finalize(NAME, OWNER, 1)
        return world.inspect(folder)

    versions.create(NAME, OWNER, LOCAL)
    put(registry, "m.gguf", b"weights")
    both = Versions(registry.resources, finalized_by_another).finalize(NAME, OWNER, 1)
    assert (both.status, both.digest) == (VersionStatus.READY, versions.get(NAME, OWNER, 1).digest)


@pytest.mark.parametrize(
    ("new", "verdict"),
    [(NewVersion(), CorruptModel("why")), (NewVersion(), UnsupportedModel("why")), (LOCAL, UnsupportedModel("why"))],
)
def test_other_models_are_ready_and_say_why_they_cannot_be_served(
    registry: Registry, versions: Versions, world: World, new: NewVersion, verdict: InvalidParameterValue
) -> None:
    world.verdict = verdict
    versions.create(NAME, OWNER, new)
    put(registry, "model.pkl", b"x")
    done = versions.finalize(NAME, OWNER, 1)
    assert (done.status, done.facts, done.unservable_reason) == (VersionStatus.READY, None, "why")
    with pytest.raises(InvalidParameterValue, match="cannot be served: why"):
        registry.servable.find(NAME.full_name, 1, OWNER)
    assert registry.servable.optimization(NAME.full_name, "1", OWNER)["optimizable"] is False


def test_two_versions_share_what_is_the_same(registry: Registry, versions: Versions) -> None:
    for number in (1, 2):
        versions.create(NAME, OWNER, LOCAL)
        put(registry, "m.gguf", b"weights", number)
        versions.finalize(NAME, OWNER, number)
    assert contents(registry) == 1
    versions.delete(NAME, OWNER, 1)
    assert contents(registry) == 1
    versions.delete(NAME, OWNER, 2)
    assert contents(registry) == 0


# ----------------------------------------------------------------------------------------------------------- own tags


@pytest.mark.parametrize("tag", [QUANTIZATION_TAG, BASE_TAG])
def test_a_tag_that_decides_what_is_served_can_be_set_once(versions: Versions, tag: str) -> None:
    versions.create(NAME, OWNER, LOCAL)
    versions.set_tags(NAME, OWNER, 1, {tag: "q8_0"})
    assert versions.set_tags(NAME, OWNER, 1, {tag: "q8_0", "team": "nlp"}).tags["team"] == "nlp"
    for other in ("f16", None):
        with pytest.raises(InvalidParameterValue, match="is 'q8_0' and stays so"):
            versions.set_tags(NAME, OWNER, 1, {tag: other})


def test_how_to_convert_what_is_served_is_not_to_be_changed(versions: Versions, world: World) -> None:
    world.served.add(versions.create(NAME, OWNER, LOCAL).id)
    with pytest.raises(Conflict, match="converted in another way"):
        versions.set_tags(NAME, OWNER, 1, {QUANTIZATION_TAG: "q8_0"})
    assert versions.set_tags(NAME, OWNER, 1, {"team": "nlp"}).tags["team"] == "nlp"


def test_an_unknown_quantization_is_refused_when_it_is_said(versions: Versions) -> None:
    with pytest.raises(InvalidParameterValue, match="use one of: f16, q8_0"):
        versions.create(NAME, OWNER, NewVersion(tags={QUANTIZATION_TAG: "q2"}))
    versions.create(NAME, OWNER, LOCAL)
    with pytest.raises(InvalidParameterValue, match="use one of: f16, q8_0"):
        versions.set_tags(NAME, OWNER, 1, {QUANTIZATION_TAG: "q2"})


def test_where_a_version_came_from_is_said_once(versions: Versions) -> None:
    versions.create(NAME, OWNER, NewVersion())
    with pytest.raises(InvalidParameterValue, match="how the version came here"):
        versions.set_tags(NAME, OWNER, 1, {SOURCE_KIND_TAG: "hub"})


# ------------------------------------------------------------------------------------------------------- what is served


def test_a_ready_version_has_a_profile_for_serving(registry: Registry, versions: Versions) -> None:
    versions.create(NAME, OWNER, LOCAL)
    put(registry, "m.gguf", b"weights")
    with pytest.raises(InvalidParameterValue, match="still being registered"):
        registry.servable.find(NAME.full_name, "1", OWNER)
    versions.finalize(NAME, OWNER, 1)
    found = registry.servable.find(NAME.full_name, "1", OWNER)
    assert found.profile.model_id == "m-1"
    assert (found.profile.context_length, found.profile.has_function_calling) == (2048, True)
    assert found.facts == FACTS
    assert set(found.manifest) == {"m.gguf"}
    assert found.ids == {versions.get(NAME, OWNER, 1).id}
    assert registry.servable.are_registered(found.ids)
    info = registry.servable.optimization(NAME.full_name, "1", OWNER)
    assert info == {"optimizable": True, "model_type": "llama", "throughput_chunk_size": 2}


def test_serving_needs_execute_a_version_and_a_number(registry: Registry, versions: Versions) -> None:
    versions.create(NAME, OWNER, LOCAL)
    with pytest.raises(PermissionDenied, match="EXECUTE"):
        registry.servable.find(NAME.full_name, 1, OTHER)
    with pytest.raises(NotFound):
        registry.servable.find(NAME.full_name, 2, OWNER)
    with pytest.raises(NotFound):
        registry.servable.find("main.default.other", 1, OWNER)
    with pytest.raises(InvalidParameterValue):
        registry.servable.find(NAME.full_name, "@champion", OWNER)


def test_a_catalogue_model_is_found_with_the_catalogues_profile(registry: Registry) -> None:
    found = registry.servable.find("system.ai.smollm2_135m_instruct", "1", OTHER)
    assert found.profile.display_name.startswith("SmolLM2")
    assert (found.digest, dict(found.manifest)) == (None, {})
    with pytest.raises(NotFound):
        registry.servable.find("system.ai.smollm2_135m_instruct", "2", OTHER)


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_tags_are_bounded(models: Models, key: str) -> None:
    with pytest.raises(InvalidParameterValue, match="tag"):
        models.set_tags(NAME, OWNER, {key: "v"})
