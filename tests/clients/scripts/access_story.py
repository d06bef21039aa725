"""Who may do what, through databricks-sdk alone: principals, tokens, OAuth, permissions, grants, secrets."""

import base64
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.iam import ComplexValue, Patch, PatchOp, PatchSchema
from databricks.sdk.service.serving import (
    EndpointCoreConfigInput,
    ExternalModel,
    ExternalModelProvider,
    OpenAiConfig,
    ServedEntityInput,
    ServingEndpointAccessControlRequest,
    ServingEndpointPermissionLevel,
)
from databricks.sdk.service.settings import PublicTokenInfo
from databricks.sdk.service.workspace import AclPermission
from google.protobuf.field_mask_pb2 import FieldMask
from story import CHAT, HOST, MESSAGES, TOKEN, attempt, tell

USER, ENDPOINT, MODEL = "ana@example.com", "story-access", "main.default.access_story"
SQL = "x'; DROP TABLE principals; --@example.com"
LEVEL = ServingEndpointPermissionLevel
ERRORS = (DatabricksError, ValueError)


def client(token):
    """Somebody, by a token."""
    return WorkspaceClient(host=HOST, token=token)


def client_of(service_principal, secret):
    """A service principal that identifies itself by OAuth."""
    return WorkspaceClient(host=HOST, client_id=service_principal.application_id, client_secret=secret)


def login(service_principal, secret):
    """A new client's first call."""
    return client_of(service_principal, secret).current_user.me()


def plain(value):
    """An object of the SDK as JSON."""
    return value.as_dict() if hasattr(value, "as_dict") else value


class Steps(dict):
    """What was tried so far; `values` has what it returned."""

    def __init__(self):
        super().__init__()
        self.values = {}

    def __call__(self, name, action, shown=None):
        """Try; keep what `shown` makes of the value."""

        def run():
            self.values[name] = action()
            return (shown or plain)(self.values[name])

        self[name] = attempt(run, *ERRORS)
        return self.values.get(name)


def plains(values):
    """A list of them."""
    return [value.as_dict() for value in values]


def as_user(w, principal):
    """A client with a token that the admin made for somebody."""
    return client(w.token_management.create_obo_token(principal, comment="story").token_value)


def principals(w):
    """Users, groups, service principals."""
    step = Steps()
    user = step("create", lambda: w.users.create(user_name=USER, display_name="Ana"))
    step("create_again", lambda: w.users.create(user_name=USER))
    step("sql", lambda: w.users.create(user_name=SQL), lambda made: made.user_name)
    step(
        "find_sql", lambda: list(w.users.list(filter=f'userName eq "{SQL}"')), lambda all_: [u.user_name for u in all_]
    )
    step("find", lambda: list(w.users.list(filter=f"userName eq '{USER}' and active eq true")), plains)
    step(
        "starts",
        lambda: list(w.users.list(filter='userName sw "an" or displayName co "zz"', attributes="userName")),
        plains,
    )
    step("bad_filter", lambda: list(w.users.list(filter="userName maybe")), plains)
    step("everybody", lambda: list(w.users.list()), lambda all_: sorted(u.user_name for u in all_))
    group = step("group", lambda: w.groups.create(display_name="team", members=[ComplexValue(value=user.id)]))
    step("groups_of_user", lambda: w.users.get(user.id), lambda seen: sorted(g.display for g in seen.groups))
    sp = step("sp", lambda: w.service_principals.create(display_name="robot"))
    add = Patch(op=PatchOp.ADD, path="members", value=[{"value": sp.id}])
    schemas = [PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
    step("add", lambda: w.groups.patch(group.id, operations=[add], schemas=schemas))
    step("added", lambda: w.groups.get(group.id), lambda seen: sorted(m.display for m in seen.members))
    remove = Patch(op=PatchOp.REMOVE, path=f'members[value eq "{user.id}"]')
    step("remove", lambda: w.groups.patch(group.id, operations=[remove], schemas=schemas))
    step("removed", lambda: w.groups.get(group.id), lambda seen: sorted(m.display for m in seen.members))
    step(
        "foreign_member",
        lambda: w.groups.patch(group.id, operations=[Patch(op=PatchOp.ADD, path="members", value=[{"value": "5"}])]),
    )
    step("rename", lambda: w.users.update(user.id, user_name="other@example.com", display_name="Ana B"))
    step("renamed", lambda: w.users.get(user.id))
    ana, robot = as_user(w, USER), as_user(w, sp.application_id)
    step("me", ana.current_user.me)
    step("robot", robot.current_user.me)
    step("not_admin", lambda: ana.users.create(user_name="eve@example.com"))
    left_out = Patch(op=PatchOp.REPLACE, path="active", value=False)  # the SDK sends no value at all
    step("deactivate_badly", lambda: w.users.patch(user.id, operations=[left_out], schemas=schemas))
    off = Patch(op=PatchOp.REPLACE, path="active", value="false")
    step("deactivate", lambda: w.users.patch(user.id, operations=[off], schemas=schemas))
    step("deactivated", ana.current_user.me)
    step("activate", lambda: w.users.patch(user.id, operations=[Patch(op=PatchOp.REPLACE, value={"active": True})]))
    step("activated", ana.current_user.me, lambda seen: seen.user_name)
    admins = next(iter(w.groups.list(filter='displayName eq "admins"')))
    step(
        "promote",
        lambda: w.groups.patch(
            admins.id, operations=[Patch(op=PatchOp.ADD, path="members", value=[{"value": user.id}])]
        ),
    )
    step("promoted", lambda: ana.users.create(user_name="eve@example.com"), lambda made: made.user_name)
    step(
        "demote",
        lambda: w.groups.patch(admins.id, operations=[Patch(op=PatchOp.REMOVE, path=f'members[value eq "{user.id}"]')]),
    )
    step("demoted", lambda: ana.users.create(user_name="mallory@example.com"))
    step("last_admin", lambda: w.groups.update(admins.id, display_name="admins", members=[]))
    step("delete_admins", lambda: w.groups.delete(admins.id))
    step("delete_group", lambda: w.groups.delete(group.id))
    step("group_gone", lambda: w.groups.get(group.id))
    step("delete_robot", lambda: w.service_principals.delete(sp.id))
    step("robot_gone", robot.current_user.me)
    return step


def tokens(w):
    """Personal access tokens."""
    step = Steps()
    ana = as_user(w, USER)
    made = step(
        "create", lambda: ana.tokens.create(comment="laptop", lifetime_seconds=3600), lambda t: plain(t.token_info)
    )
    mine = client(made.token_value)
    step("works", mine.current_user.me, lambda seen: seen.user_name)
    step("list", lambda: list(ana.tokens.list()), plains)
    step("value_in_list", lambda: made.token_value in str(plains(ana.tokens.list())))
    mask = FieldMask(paths=["comment"])
    step("comment", lambda: ana.tokens.update(made.token_info.token_id, PublicTokenInfo(comment="desktop"), mask))
    step("commented", lambda: list(ana.tokens.list()), lambda all_: [t.comment for t in all_])
    step("foreign", lambda: w.tokens.delete(made.token_info.token_id))
    step("negative", lambda: ana.tokens.create(lifetime_seconds=-5))
    step("scoped", lambda: ana.tokens.create(scopes=["sql"]))
    step("delete", lambda: ana.tokens.delete(made.token_info.token_id))
    step("deleted", mine.current_user.me)
    step("delete_again", lambda: ana.tokens.delete(made.token_info.token_id))
    short = ana.tokens.create(comment="short", lifetime_seconds=1)
    step("short", client(short.token_value).current_user.me, lambda seen: seen.user_name)
    time.sleep(max(0, short.token_info.expiry_time / 1000 - time.time()) + 0.05)
    step("expired", client(short.token_value).current_user.me)
    theirs = step("admin_list", lambda: list(w.token_management.list()), lambda all_: len(all_) > 0)
    used = next(t for t in theirs if t.comment == "story")
    step("admin_get", lambda: w.token_management.get(used.token_id), lambda answer: plain(answer.token_info))
    step("not_admin", lambda: list(ana.token_management.list()))
    step("admin_delete", lambda: [w.token_management.delete(t.token_id) for t in theirs], len)
    step("admin_deleted", ana.current_user.me)
    step("forever", lambda: w.tokens.create(comment="forever"), lambda t: t.token_info.expiry_time)
    step("levels", w.token_management.get_permission_levels)
    step("permissions", w.token_management.get_permissions)
    return step


def oauth(w):
    """A service principal's client id and secret."""
    step = Steps()
    sp = w.service_principals.create(display_name="pipeline")
    proxy = w.service_principal_secrets_proxy
    secret = step("create", lambda: proxy.create(sp.id, lifetime="86400s"), lambda s: sorted(plain(s)))
    m2m = client_of(sp, secret.secret)
    step("auth", lambda: m2m.config.auth_type)
    step("me", m2m.current_user.me, lambda seen: seen.user_name)
    step("endpoints", lambda: list(m2m.serving_endpoints.list()), lambda all_: CHAT in [e.name for e in all_])
    step(
        "query",
        lambda: m2m.api_client.do(
            "POST", f"/serving-endpoints/{CHAT}/invocations", body={"messages": MESSAGES, "max_tokens": 1}
        ),
        sorted,
    )
    step("list", lambda: list(proxy.list(sp.id)), plains)
    step("wrong", lambda: login(sp, "no"))
    step("delete", lambda: proxy.delete(sp.id, secret.id))
    step("revoked", m2m.current_user.me)
    step(
        "revoked_login",
        lambda: login(sp, secret.secret),
    )
    step("of_user", lambda: proxy.create("1"))
    return step


def external(reference):
    """An endpoint's config, with a provider that is never asked."""
    config = OpenAiConfig(openai_api_base="https://models.example/v1", openai_api_key=reference)
    model = ExternalModel(ExternalModelProvider.OPENAI, "gpt", "llm/v1/chat", openai_config=config)
    return EndpointCoreConfigInput(name=ENDPOINT, served_entities=[ServedEntityInput(name="gpt", external_model=model)])


def permissions(w):
    """Levels on an endpoint, and what they let one do."""
    step = Steps()
    w.secrets.create_scope("story-keys")
    w.secrets.put_secret("story-keys", "key", string_value="k")
    bob, eve = (w.users.create(user_name=f"{name}@example.com") for name in ("bob", "carol"))
    owner, other = as_user(w, bob.user_name), as_user(w, eve.user_name)
    step(
        "secret_of_others",
        lambda: owner.serving_endpoints.create(ENDPOINT, config=external("{{secrets/story-keys/key}}")),
    )
    w.secrets.put_acl("story-keys", bob.user_name, AclPermission.READ)
    made = step(
        "create",
        lambda: owner.serving_endpoints.create(ENDPOINT, config=external("{{secrets/story-keys/key}}")),
        lambda wait: wait.response.permission_level.value,
    )
    identifier = made.response.id
    step("get", lambda: owner.serving_endpoints.get_permissions(identifier))
    step("levels", lambda: owner.serving_endpoints.get_permission_levels(identifier))

    def give(name, level):
        entry = ServingEndpointAccessControlRequest(user_name=name, permission_level=level)
        return owner.serving_endpoints.update_permissions(identifier, access_control_list=[entry])

    def tries(who):
        step(f"{who}_list", lambda: [e.name for e in other.serving_endpoints.list()], lambda all_: ENDPOINT in all_)
        step(f"{who}_get", lambda: other.serving_endpoints.get(ENDPOINT), lambda e: e.permission_level.value)
        step(
            f"{who}_query",
            lambda: other.api_client.do("POST", f"/serving-endpoints/{ENDPOINT}/invocations", body={"messages": []}),
        )
        step(
            f"{who}_stop",
            lambda: other.api_client.do("POST", f"/api/2.0/serving-endpoints/{ENDPOINT}/config:stop", body={}),
            lambda e: e["name"],
        )
        step(f"{who}_permissions", lambda: other.serving_endpoints.get_permissions(identifier), bool)
        step(
            f"{who}_share",
            lambda: other.serving_endpoints.update_permissions(identifier, access_control_list=[]),
            bool,
        )

    tries("nobody")
    for level in (LEVEL.CAN_VIEW, LEVEL.CAN_QUERY, LEVEL.CAN_MANAGE):
        step(f"give_{level.value}", lambda level=level: give(eve.user_name, level))
        tries(level.value)
    step("unknown", lambda: give("nobody@example.com", LEVEL.CAN_VIEW))
    step("sql", lambda: give(SQL, LEVEL.CAN_VIEW), lambda p: SQL in str(plain(p)))
    step(
        "bad_level",
        lambda: w.api_client.do(
            "PATCH",
            f"/api/2.0/permissions/serving-endpoints/{identifier}",
            body={"access_control_list": [{"user_name": USER, "permission_level": "CAN_FLY"}]},
        ),
    )
    step(
        "replace",
        lambda: owner.serving_endpoints.set_permissions(
            identifier,
            access_control_list=[
                ServingEndpointAccessControlRequest(group_name="users", permission_level=LEVEL.CAN_QUERY)
            ],
        ),
        plain,
    )
    step("through_group", lambda: other.serving_endpoints.get(ENDPOINT), lambda e: e.permission_level.value)
    step("clear", lambda: owner.serving_endpoints.set_permissions(identifier, access_control_list=[]))
    step("cleared", lambda: other.serving_endpoints.get(ENDPOINT))
    step("unknown_id", lambda: w.serving_endpoints.get_permissions("0" * 32))
    step("delete", lambda: owner.serving_endpoints.delete(ENDPOINT))
    step("generic", lambda: w.permissions.get("authorization", "tokens"), lambda p: p.object_id)
    return step


def grants(w):
    """Privileges on a registered model."""
    step = Steps()
    ana = as_user(w, USER)
    w.registered_models.create(catalog_name="main", schema_name="default", name="access_story")
    step("without", lambda: ana.registered_models.get(MODEL), lambda model: model.full_name)
    change = PermissionsChange(principal=USER, add=[Privilege.EXECUTE])
    step("give", lambda: w.grants.update("function", MODEL, changes=[change]))
    step("with", lambda: ana.registered_models.get(MODEL), lambda model: model.full_name)
    step("change", lambda: ana.registered_models.update(MODEL, comment="mine"), lambda model: model.comment)
    step("share", lambda: ana.grants.update("function", MODEL, changes=[change]))
    step("get", lambda: ana.grants.get("function", MODEL))
    step("effective", lambda: ana.grants.get_effective("function", MODEL))
    w.registered_models.update(MODEL, new_name="access_story_2")
    step("renamed", lambda: ana.registered_models.get(MODEL + "_2"), lambda model: model.full_name)
    w.registered_models.delete(MODEL + "_2")
    w.registered_models.create(catalog_name="main", schema_name="default", name="access_story_2")
    step("made_again", lambda: ana.registered_models.get(MODEL + "_2"), lambda model: model.full_name)
    w.registered_models.create(catalog_name="main", schema_name="default", name="access_story")
    step("old_name_again", lambda: ana.registered_models.get(MODEL), lambda model: model.full_name)
    everybody = PermissionsChange(principal="account users", add=[Privilege.EXECUTE, Privilege.MANAGE])
    step("give_all", lambda: w.grants.update("function", MODEL, changes=[everybody]))
    step("change_now", lambda: ana.registered_models.update(MODEL, comment="mine"), lambda model: model.comment)
    step("system", lambda: ana.grants.get("function", "system.ai.minilm_l6_v2"))
    step("change_system", lambda: w.grants.update("function", "system.ai.minilm_l6_v2", changes=[change]))
    step("schema", lambda: w.grants.get("schema", "main.default"))
    for name in (MODEL, MODEL + "_2"):
        w.registered_models.delete(name)
    return step


def secrets(w):
    """Scopes and secrets."""
    step = Steps()
    ana, other = as_user(w, USER), as_user(w, "carol@example.com")
    step("create", lambda: ana.secrets.create_scope("ana"))
    step("create_again", lambda: ana.secrets.create_scope("ana"))
    step("bad_name", lambda: ana.secrets.create_scope("a b/../c'; --"))
    step("put", lambda: ana.secrets.put_secret("ana", "text", string_value="ünïcode"))
    step(
        "put_bytes", lambda: ana.secrets.put_secret("ana", "bytes", bytes_value=base64.b64encode(b"\xff\x00").decode())
    )
    step("list", lambda: list(ana.secrets.list_secrets("ana")), lambda all_: [s.key for s in all_])
    step("get", lambda: base64.b64decode(ana.secrets.get_secret("ana", "text").value).decode())
    step("get_bytes", lambda: base64.b64decode(ana.secrets.get_secret("ana", "bytes").value).hex())
    step("scopes", lambda: [s.name for s in ana.secrets.list_scopes()])
    step("other_scopes", lambda: [s.name for s in other.secrets.list_scopes()])
    step("other_get", lambda: other.secrets.get_secret("ana", "text"))
    step("share", lambda: ana.secrets.put_acl("ana", "users", AclPermission.READ))
    step("shared_get", lambda: base64.b64decode(other.secrets.get_secret("ana", "text").value).decode())
    step("shared_put", lambda: other.secrets.put_secret("ana", "text", string_value="x"))
    step("acls", lambda: list(ana.secrets.list_acls("ana")), plains)
    step("acl", lambda: ana.secrets.get_acl("ana", "users"))
    step("unshare", lambda: ana.secrets.delete_acl("ana", "users"))
    step("unshared", lambda: other.secrets.get_secret("ana", "text"))
    step("delete", lambda: ana.secrets.delete_secret("ana", "text"))
    step("gone", lambda: ana.secrets.get_secret("ana", "text"))
    step("delete_scope", lambda: ana.secrets.delete_scope("ana"))
    step("scope_gone", lambda: list(ana.secrets.list_secrets("ana")))
    return step


def main():
    """The parts build on one another: users of the first are in all."""
    admin = client(TOKEN)
    parts = (principals, tokens, oauth, permissions, grants, secrets)
    tell({part.__name__: part(admin) for part in parts})


if __name__ == "__main__":
    main()
