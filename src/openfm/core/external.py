"""Models of other providers, behind our endpoints (databricks-sdk `ExternalModel`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A provider's API key as it is kept: a reference (`{{secrets/scope/key}}`) or a ciphertext, never plain."""

    reference: str | None = None
    ciphertext: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ExternalModel:
    """Where another provider's model is, and how to speak to it.

    `url` is the base of its OpenAI-compatible API, `header` the name of the header that carries the key
    (`authorization` means a bearer token). `shown` is what management answers repeat: the config without keys.
    """

    provider: str
    name: str
    url: str
    key: StoredKey
    header: str = "authorization"
    shown: Mapping[str, object] = field(default_factory=dict)
