"""External models as clients describe them -> what is kept of them. Keys are encrypted here, before anything else."""

import hashlib
import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from openfm.control.endpoints.inputs import ExternalModelInput, ServedEntityInput
from openfm.control.endpoints.ports import Keys
from openfm.core.errors import InvalidParameterValue
from openfm.core.external import ExternalModel, SecretReference, StoredKey, fits_header
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import Principal

_OPENAI = "https://api.openai.com/v1"
_CONTEXT_LENGTH = 1 << 20  # the provider judges by its own
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110, 5.6.2
_HTTPS_OWN = frozenset(("accept-encoding", "connection", "expect", "host", "keep-alive", "te", "trailer", "upgrade"))
_HTTPS_OWN_PREFIXES = ("content-", "proxy-", "transfer-")
_SUFFIXES = ("/chat/completions", "/completions", "/embeddings")


@dataclass(frozen=True, slots=True)
class _CallersKeys:
    """Keys as one caller may use them: nobody sends a secret, which may not be read, to a URL of its own."""

    keys: Keys
    caller: Principal

    def encrypt(self, plaintext: str) -> str:
        return self.keys.encrypt(plaintext)

    def refer(self, reference: str) -> SecretReference:
        return self.keys.refer(self.caller, reference)


def external_model(asked: ServedEntityInput, keys: Keys, caller: Principal) -> tuple[ExternalModel, ModelProfile]:
    """The model and its profile.

    Raises `InvalidParameterValue`; for a secret `NotFound`, and `PermissionDenied` where the caller may not read it.
    """
    model = asked.external_model
    if model is None:
        raise AssertionError("asked for the external model of an entity that has none")
    url, key, header = _connection(model, _CallersKeys(keys, caller))
    shown = model.model_dump(exclude_none=True)
    for config in shown.values():
        if isinstance(config, dict):
            _strip(config)
    external = ExternalModel(model.provider, _checked_name(model.name), _checked_url(url), key, header, shown)
    return external, external_profile(external, _task(model.task))


def external_profile(external: ExternalModel, task: Task) -> ModelProfile:
    """What is known of a model that somebody else runs."""
    return ModelProfile(
        name=external.name,
        model_id=external.name,
        display_name=external.name,
        description=f"{external.name} at {urlsplit(external.url).hostname}.",
        docs="",
        task=task,
        context_length=_CONTEXT_LENGTH,
        has_function_calling=True,
    )


def external_deployment_id(endpoint_id: str, external: ExternalModel) -> str:
    """The name of an external entity's replicas: the same for the same endpoint, provider, address and key.

    Nobody can find a second config with it: whoever could would speak with another's key.
    """
    key = str(external.key.reference or external.key.ciphertext)
    told = json.dumps([endpoint_id, external.provider, external.name, external.url, external.header, key])
    return f"external-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _connection(model: ExternalModelInput, keys: _CallersKeys) -> tuple[str, StoredKey, str]:
    """Base URL, key, and the header it goes into."""
    match model.provider:
        case "openai":
            config = model.openai_config
            if config is None:
                raise _missing("openai_config")
            key = _key(config.openai_api_key, config.openai_api_key_plaintext, "openai_api_key", keys)
            return config.openai_api_base or _OPENAI, key, "authorization"
        case "custom":
            custom = model.custom_provider_config
            if custom is None:
                raise _missing("custom_provider_config")
            if custom.api_key_auth is not None:
                auth = custom.api_key_auth
                return (
                    custom.custom_provider_url,
                    _key(auth.value, auth.value_plaintext, "value", keys),
                    _checked_header(auth.key),
                )
            if custom.bearer_token_auth is None:
                raise _missing("custom_provider_config.bearer_token_auth")
            bearer = custom.bearer_token_auth
            return (
                custom.custom_provider_url,
                _key(bearer.token, bearer.token_plaintext, "token", keys),
                "authorization",
            )
        case "databricks-model-serving":
            other = model.databricks_model_serving_config
            if other is None:
                raise _missing("databricks_model_serving_config")
            key = _key(other.databricks_api_token, other.databricks_api_token_plaintext, "databricks_api_token", keys)
            return other.databricks_workspace_url.rstrip("/") + "/serving-endpoints", key, "authorization"
    raise InvalidParameterValue(
        f"The provider '{model.provider}' is not supported. Use openai (any OpenAI-compatible URL as openai_api_base), "
        "custom or databricks-model-serving.",
        param="external_model.provider",
    )


def _key(reference: str | None, plaintext: str | None, field: str, keys: _CallersKeys) -> StoredKey:
    if reference and plaintext:
        raise InvalidParameterValue(f"Send either {field} or {field}_plaintext, not both.", param=field)
    if reference:
        if not (reference.startswith("{{secrets/") and reference.endswith("}}")):
            raise InvalidParameterValue(
                f"{field} must be like {{{{secrets/scope/key}}}}. The key itself goes into {field}_plaintext.",
                param=field,
            )
        return StoredKey(reference=keys.refer(reference))
    if plaintext:
        if not fits_header(plaintext):
            raise InvalidParameterValue(
                f"{field}_plaintext goes into a header: it must be visible ASCII, without spaces or line ends around.",
                param=f"{field}_plaintext",
            )
        return StoredKey(ciphertext=keys.encrypt(plaintext))
    raise _missing(f"{field} or {field}_plaintext")


def _checked_header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _HTTPS_OWN or name.lower().startswith(_HTTPS_OWN_PREFIXES):
        raise InvalidParameterValue(
            "api_key_auth.key must be the name of a header that the provider reads the key from, like X-Api-Key, "
            "not one that HTTP itself needs.",
            param="external_model.custom_provider_config.api_key_auth.key",
        )
    return name.lower()


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_fine = False
    if not is_fine or "@" in url or "?" in url or "#" in url:
        raise InvalidParameterValue(
            "The external model's URL must be http(s)://host[:port][/path], without user, query and fragment.",
            param="external_model",
        )
    base = url.rstrip("/")
    for suffix in _SUFFIXES:
        base = base.removesuffix(suffix)
    return base


def _checked_name(name: str) -> str:
    if not name or len(name) > 255 or not name.isprintable():
        raise InvalidParameterValue(
            "The external model's name must be 1 to 255 printable characters.", param="external_model.name"
        )
    return name


def _task(task: str) -> Task:
    try:
        return Task(task)
    except ValueError:
        raise InvalidParameterValue(f"task must be one of: {', '.join(Task)}.", param="external_model.task") from None


def _strip(config: dict[str, object]) -> None:
    for name in [name for name in config if name.endswith("_plaintext")]:
        del config[name]
    for nested in config.values():
        if isinstance(nested, dict):
            _strip(nested)


def _missing(field: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"The external model needs {field}.", param=f"external_model.{field}")
