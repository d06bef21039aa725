"""Models of other providers, behind our endpoints (databricks-sdk `ExternalModel`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A secret (`text` is `{{secrets/scope/key}}`) as one principal meant it.

    It is read from the scope with that id only, not from a later one of its name, and while the principal who referred
    to it may read it: else a name could bring somebody else's secret to a URL of one's own.
    """

    text: str
    scope_id: str
    reader_id: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A provider's API key as it is kept: a reference to a secret or a ciphertext, never plain."""

    reference: SecretReference | None = None
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


def fits_header(key: str) -> bool:
    """Whether a key can be sent: visible ASCII, with spaces only inside. A file's last line end is a common guest."""
    return bool(key) and key.isascii() and key.isprintable() and key == key.strip()
