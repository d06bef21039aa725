"""Every setting, frozen; the only reader of the environment in the server.

Order: flag, then environment (prefix `OPENFM_`), then `openfm.toml`, then the default. `config/example.toml` lists
all of them; a test compares it with this file.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from openfm.core.ledger import LEAST_RETENTION_DAYS
from openfm.engines.egress import EgressGuard
from openfm.telemetry.logging import LogFormat
from openfm.wire.manner import ReasoningStyle

_CONFIG_NAME = "openfm.toml"
_CONFIG_VARIABLE = "OPENFM_CONFIG"
_HOME_VARIABLE = "OPENFM_HOME"


class Role(StrEnum):
    """What a process of this workspace does: everything, or one of the two planes."""

    ALL = "all"
    CONTROL = "control"
    GATEWAY = "gateway"


class SettingsError(Exception):
    """A setting is wrong; the message says which and how to fix it."""


class Settings(BaseSettings):
    """The server's settings. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="OPENFM_", frozen=True, extra="forbid")

    role: Role = Field(
        Role.ALL, description="all; or control (management and engines) beside any number of gateway (queries)."
    )
    control_url: str | None = Field(
        None, description="Where a gateway finds its control server; HOME/server.json says it when not set."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    home: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("openfm"), description="State: database, tokens, logs."
    )
    models_dir: Path | None = Field(None, description="Weights; HOME/models when not set.")
    registry_dir: Path | None = Field(None, description="Files of registered models; HOME/registry when not set.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; an SQLite file in HOME when not set.")
    valkey_url: SecretStr | None = Field(
        None, description="redis:// URL where several gateways share limits; counted in this process when not set."
    )
    admin_token: SecretStr | None = Field(None, description="The admin's token; made and kept in HOME when not set.")
    public_url: str | None = Field(None, description="URL under which clients see the server, if not the request's.")
    region: str = Field("local", description="What this deployment calls itself where Databricks has a region.")
    insecure: bool = Field(default=False, description="Allow plain HTTP on an address that is not loopback.")
    tls_certificate: Path | None = Field(None, description="PEM file; with tls_key, HTTPS is served.")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's key.")
    log_format: LogFormat = Field(LogFormat.AUTO, description="auto, console or json.")
    alias_missing: bool = Field(
        default=False, description="Answer the names of catalogue models that cannot run here with a default model."
    )
    strict: bool = Field(default=False, description="Refuse unknown request fields, as old Databricks endpoints did.")
    reasoning_style: ReasoningStyle = Field(
        ReasoningStyle.TEXT, description="Thoughts on Databricks routes: text (reasoning_content) or blocks."
    )
    engine_threads: int | None = Field(None, ge=1, description="CPU threads of each engine; all cores when not set.")
    engine_slots: int = Field(4, ge=1, le=256, description="Sequences that one chat replica runs at once.")
    engine_memory: int | None = Field(
        None, ge=0, description="Memory that engines may take together; what is free at start when not set."
    )
    engine_context_length: int | None = Field(
        None, ge=16, description="Longest context of a sequence; each model's own when not set."
    )
    engine_precedence: bool = Field(
        default=True, description="Provisioned throughput goes first on the cores and GPUs that it shares."
    )
    scale_up_after_s: float = Field(
        10, ge=0, description="How long provisioned throughput must need more replicas before one starts."
    )
    scale_down_after_s: float = Field(300, ge=0, description="How long it must need fewer before one stops.")
    scale_to_zero_after_s: float = Field(1800, gt=0, description="Idle time after which an endpoint scales to zero.")
    cold_start_deadline_s: float = Field(50, ge=0, description="Longest wait of a request for a replica to start.")
    queue_length: int = Field(256, ge=0, description="Requests that may wait before an endpoint.")
    queue_deadline_s: float = Field(60, gt=0, description="Longest wait in that queue.")
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024, description="Largest request body.")
    max_prompts: int = Field(16, ge=1, description="Prompts in one completion request.")
    max_embedding_inputs: int = Field(150, ge=1, description="Texts in one embedding request.")
    sql_memory: int = Field(512 * 1024 * 1024, ge=64 * 1024 * 1024, description="Memory of one question in SQL.")
    sql_timeout_s: float = Field(30, gt=0, description="Longest time that one question in SQL may take.")
    tracing: bool = Field(
        default=False, description="Send a span for each request, where OTEL_EXPORTER_OTLP_ENDPOINT says."
    )
    drain_timeout_s: float = Field(30, ge=0, description="How long running requests may take to end at shutdown.")
    ledger_retention_days: int | None = Field(
        None,
        ge=LEAST_RETENTION_DAYS,
        description="Days that the ledger keeps rows, then sums; for ever when not set.",
    )
    inference_table_retention_days: int = Field(30, ge=1, description="Days that inference tables keep rows.")
    package_index: str | None = Field(None, description="Package index for weights; pip's own when not set.")
    egress_allow: str = Field(
        "", description="Hosts and CIDRs, comma separated, where external models may be though they are not public."
    )

    @field_validator("egress_allow")
    @classmethod
    def _check_egress(cls, text: str) -> str:
        EgressGuard.parse(text)
        return text

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags (init) win over the environment, which wins over the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def weights_dir(self) -> Path:
        """Where weights are kept."""
        return self.models_dir or self.home / "models"

    @property
    def files_dir(self) -> Path:
        """Where the files of registered models are kept."""
        return self.registry_dir or self.home / "registry"

    @property
    def url_of_limits(self) -> str | None:
        """Where gateways count together; None where this process counts by itself."""
        return None if self.valkey_url is None else self.valkey_url.get_secret_value()

    @property
    def url_of_database(self) -> str:
        """Where state is kept."""
        return self.database_url or f"sqlite:///{self.home / 'openfm.db'}"


def load(flags: Mapping[str, Any]) -> Settings:
    """The settings, given the command line's `flags` (None means not given). Raises `SettingsError`."""
    given = {name: value for name, value in flags.items() if value is not None}
    path = _config_file(given)

    class _Settings(Settings):
        model_config = SettingsConfigDict(toml_file=path, title="Settings")

    try:
        return _Settings(**given)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise SettingsError("Wrong settings:\n  " + "\n  ".join(lines)) from None


def environment() -> Mapping[str, str]:
    """The process's environment, for the few who hand variables of other programs on (pip's, uv's, engines')."""
    return dict(os.environ)


def _config_file(given: Mapping[str, Any]) -> Path | None:
    named = os.environ.get(_CONFIG_VARIABLE)
    if named is not None:
        path = Path(named)
        if not path.is_file():
            raise SettingsError(f"{_CONFIG_VARIABLE} names {path}, which is not a file.")
        return path
    home = given.get("home") or os.environ.get(_HOME_VARIABLE) or platformdirs.user_data_path("openfm")
    path = Path(home) / _CONFIG_NAME
    return path if path.is_file() else None
