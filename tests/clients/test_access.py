"""Principals, tokens, OAuth, permissions, grants and secrets, judged by databricks-sdk, unmodified."""

import pytest

from tests.clients.conftest import Failure, Story, Tell

pytestmark = pytest.mark.clients

ANA = "ana@example.com"
SQL = "x'; DROP TABLE principals; --@example.com"


@pytest.fixture
def part(story: Tell, request: pytest.FixtureRequest) -> Story:
    """The part of the story that the test's parameter names."""
    return story(f"access_story.{request.param}")


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("part", [name], indirect=True)


def is_denied(failure: Failure) -> bool:
    return failure.error == "PermissionDenied"


def is_missing(failure: Failure) -> bool:
    return "NotFound" in failure.bases


def is_wrong(failure: Failure) -> bool:
    return failure.error == "InvalidParameterValue"


@of("principals")
def test_users_are_made_found_and_renamed(part: Story) -> None:
    made = part.value("create")
    assert (made["userName"], made["displayName"], made["active"]) == (ANA, "Ana", True)
    assert part.failure("create_again").error == "ResourceAlreadyExists"
    assert part.value("find") == [made]
    assert part.value("starts") == [{key: made[key] for key in ("id", "schemas", "userName")}]
    assert is_wrong(part.failure("bad_filter"))
    assert {"admin", ANA, SQL} <= set(part.value("everybody"))
    part.value("rename")
    assert (part.value("renamed")["userName"], part.value("renamed")["displayName"]) == (ANA, "Ana B")


@of("principals")
def test_sql_in_a_users_name_is_a_name(part: Story) -> None:
    assert part.value("sql") == SQL
    assert part.value("find_sql") == [SQL]


@of("principals")
def test_groups_have_users_and_service_principals(part: Story) -> None:
    assert part.value("groups_of_user") == ["team", "users"]
    part.value("add")
    assert part.value("added") == ["Ana", "robot"]
    part.value("remove")
    assert part.value("removed") == ["robot"]
    assert is_wrong(part.failure("foreign_member"))
    part.value("delete_group")
    assert is_missing(part.failure("group_gone"))


@of("principals")
def test_line_8_me_is_who_calls(part: Story) -> None:
    assert part.value("me")["userName"] == ANA
    assert part.value("robot")["userName"] == part.value("sp")["applicationId"]


@of("principals")
def test_a_deactivated_users_token_is_refused_at_once_until_it_is_active_again(part: Story) -> None:
    assert is_wrong(part.failure("deactivate_badly"))
    part.value("deactivate")
    assert part.failure("deactivated").error == "Unauthenticated"
    part.value("activate")
    assert part.value("activated") == ANA


@of("principals")
def test_admins_are_who_is_in_the_group_admins_now(part: Story) -> None:
    assert is_denied(part.failure("not_admin"))
    assert part.value("promoted") == "eve@example.com"
    part.value("demote")
    assert is_denied(part.failure("demoted"))
    assert is_wrong(part.failure("last_admin"))
    assert is_wrong(part.failure("delete_admins"))


@of("principals")
def test_the_token_of_a_deleted_service_principal_is_refused_at_once(part: Story) -> None:
    part.value("delete_robot")
    assert part.failure("robot_gone").error == "Unauthenticated"


@of("tokens")
def test_line_9_tokens_are_made_listed_changed_and_deleted(part: Story) -> None:
    made = part.value("create")
    assert made["comment"] == "laptop"
    assert made["expiry_time"] == made["creation_time"] + 3_600_000
    assert part.value("works") == ANA
    assert made in part.value("list")
    assert part.value("value_in_list") is False
    assert "desktop" in part.value("commented")
    part.value("delete")
    assert part.failure("deleted").error == "Unauthenticated"
    assert is_missing(part.failure("delete_again"))
    assert part.value("forever") == -1


@of("tokens")
def test_an_expired_token_is_refused(part: Story) -> None:
    assert part.value("short") == ANA
    assert part.failure("expired").error == "Unauthenticated"


@of("tokens")
def test_nobody_deletes_the_token_of_somebody_else_as_its_own(part: Story) -> None:
    assert is_missing(part.failure("foreign"))


@of("tokens")
def test_a_token_that_would_not_be_what_it_says_is_not_made(part: Story) -> None:
    assert is_wrong(part.failure("negative"))
    assert is_wrong(part.failure("scoped"))


@of("tokens")
def test_admins_see_and_revoke_the_tokens_of_all(part: Story) -> None:
    seen = part.value("admin_get")
    assert (seen["created_by_username"], seen["created_by_id"]) == ("admin", 1)
    assert seen["last_used_day"] % 86_400_000 == 0
    assert is_denied(part.failure("not_admin"))
    part.value("admin_delete")
    assert part.failure("admin_deleted").error == "Unauthenticated"


@of("tokens")
def test_who_may_use_tokens_is_a_permission(part: Story) -> None:
    assert [level["permission_level"] for level in part.value("levels")["permission_levels"]] == ["CAN_USE"]
    entries = part.value("permissions")["access_control_list"]
    assert [entry["group_name"] for entry in entries] == ["users", "admins"]


@of("oauth")
def test_line_3_a_client_id_and_its_secret_are_enough_for_both_planes(part: Story) -> None:
    assert part.value("auth") == "oauth-m2m"
    part.value("me")
    assert part.value("endpoints") is True
    assert "choices" in part.value("query")


@of("oauth")
def test_a_client_secret_is_shown_once_and_revoked_with_what_it_brought(part: Story) -> None:
    assert "secret" in part.value("create")
    assert [sorted(secret) for secret in part.value("list")] == [
        ["create_time", "expire_time", "id", "secret_hash", "status", "update_time"]
    ]
    part.value("delete")
    assert part.failure("revoked").error == "Unauthenticated"
    for step in ("wrong", "revoked_login"):
        assert "invalid_client" in part.failure(step).message
    assert is_missing(part.failure("of_user"))


@of("permissions")
def test_line_29_the_creator_keeps_can_manage(part: Story) -> None:
    assert part.value("create") == "CAN_MANAGE"
    bob, admins = part.value("get")["access_control_list"]
    assert bob["user_name"] == "bob@example.com"
    assert bob["all_permissions"] == [{"inherited": False, "permission_level": "CAN_MANAGE"}]
    assert admins["all_permissions"][0]["inherited"] is True
    assert part.value("clear")["access_control_list"] == [bob, admins]


@of("permissions")
def test_line_29_put_replaces_and_patch_merges(part: Story) -> None:
    merged = [entry.get("user_name") for entry in part.value("give_CAN_VIEW")["access_control_list"]]
    assert merged == ["bob@example.com", "carol@example.com", None]
    replaced = [e.get("user_name") or e["group_name"] for e in part.value("replace")["access_control_list"]]
    assert replaced == ["bob@example.com", "users", "admins"]
    assert part.value("through_group") == "CAN_QUERY"
    assert is_missing(part.failure("cleared"))
    assert len(part.value("levels")["permission_levels"]) == 3


@of("permissions")
def test_line_13_without_a_level_an_endpoint_is_not_there(part: Story) -> None:
    assert part.value("nobody_list") is False
    for step in ("get", "query", "stop", "permissions", "share"):
        assert is_missing(part.failure(f"nobody_{step}")), step


@of("permissions")
def test_line_30_each_level_allows_what_it_says(part: Story) -> None:
    allowed = {"CAN_VIEW": 0, "CAN_QUERY": 1, "CAN_MANAGE": 3}
    for level, count in allowed.items():
        assert part.value(f"{level}_list") is True
        assert part.value(f"{level}_get") == level
        assert part.value(f"{level}_permissions") is True
        outcomes = [part.steps[f"{level}_{step}"] for step in ("query", "stop", "share")]
        # The query is let through, and then refused for what it says.
        assert [told.get("error") != "PermissionDenied" for told in outcomes] == [i < count for i in range(3)]


@of("permissions")
def test_levels_for_nobody_and_levels_that_do_not_exist_are_refused(part: Story) -> None:
    assert is_missing(part.failure("unknown"))
    assert is_missing(part.failure("unknown_id"))
    assert is_wrong(part.failure("bad_level"))
    assert part.value("sql") is True


@of("permissions")
def test_nobody_sends_the_secret_of_somebody_else_to_a_url_of_its_own(part: Story) -> None:
    assert is_missing(part.failure("secret_of_others"))


@of("grants")
def test_line_87_a_model_is_seen_with_execute_and_changed_with_manage(part: Story) -> None:
    assert is_denied(part.failure("without"))
    assert part.value("with") == "main.default.access_story"
    assert is_denied(part.failure("change"))
    assert is_denied(part.failure("share"))
    assert part.value("get") == part.value("give")
    assert part.value("effective")["privilege_assignments"][0]["privileges"] == [{"privilege": "EXECUTE"}]
    assert part.value("change_now") == "mine"


@of("grants")
def test_grants_follow_a_model_to_its_new_name_and_end_with_it(part: Story) -> None:
    assert part.value("renamed") == "main.default.access_story_2"
    assert is_denied(part.failure("made_again"))
    assert is_denied(part.failure("old_name_again"))


@of("grants")
def test_everybody_may_use_the_platforms_models_and_nobody_change_that(part: Story) -> None:
    assert part.value("system")["privilege_assignments"] == [{"principal": "account users", "privileges": ["EXECUTE"]}]
    assert is_denied(part.failure("change_system"))
    assert is_wrong(part.failure("schema"))


@of("secrets")
def test_secrets_come_back_as_they_were_put(part: Story) -> None:
    assert part.value("list") == ["bytes", "text"]
    assert part.value("get") == "ünïcode"
    assert part.value("get_bytes") == "ff00"
    assert part.failure("create_again").error == "ResourceAlreadyExists"
    assert is_wrong(part.failure("bad_name"))
    assert is_missing(part.failure("gone"))
    assert is_missing(part.failure("scope_gone"))


@of("secrets")
def test_a_scope_is_its_creators_until_it_is_shared(part: Story) -> None:
    assert part.value("scopes") == ["ana"]
    assert part.value("other_scopes") == []
    assert is_missing(part.failure("other_get"))
    assert part.value("shared_get") == "ünïcode"
    assert is_denied(part.failure("shared_put"))
    assert part.value("acl") == {"permission": "READ", "principal": "users"}
    part.value("unshare")
    assert is_missing(part.failure("unshared"))
