"""The key of an external model, when it is opened."""

from pathlib import Path
from typing import Any, cast

import pytest

from openfm.core.errors import EngineFailed
from openfm.core.external import SecretReference
from openfm.engines.base import EngineSpec
from openfm.server.external import KeyedLauncher


class Keys:
    """Everybody's key is this one."""

    def __init__(self, key: str) -> None:
        self._key = key

    def read(self, reference: SecretReference) -> str:
        """The key."""
        del reference
        return self._key

    def decrypt(self, ciphertext: str) -> str:
        """The key."""
        del ciphertext
        return self._key


NOWHERE = cast("Any", None)


@pytest.mark.parametrize("key", ["sk-1\n", "sk-1\r\nhost: other", "schlüssel", ""])
async def test_a_secret_that_no_header_can_carry_starts_nothing_and_is_not_repeated(key: str) -> None:
    spec = EngineSpec(
        replica_id="external-1",
        model=NOWHERE,
        files={},
        slots=1,
        threads=1,
        log_file=Path("unused.log"),
        runtime_dir=Path("unused"),
        options={"key_reference": "{{secrets/a/b}}", "key_scope": "1", "key_reader": "2"},
    )
    with pytest.raises(EngineFailed, match="visible ASCII") as refused:
        await KeyedLauncher(NOWHERE, Keys(key)).launch(spec, lambda _: None)
    assert not key or key not in str(refused.value)
