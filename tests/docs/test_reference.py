"""Pages that are written from the code are what the code says."""

import tomllib
from pathlib import Path

import pytest

from openfm.settings import Settings, SettingsError, load
from tools.reference import PAGES, ROOT


@pytest.mark.parametrize("path", PAGES)
def test_a_reference_page_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text() == PAGES[path](), "run: python tools/reference.py"


def test_a_wrong_setting_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\n  egress_allow: 'a b' is neither"):
        load({"home": str(tmp_path), "egress_allow": "a b"})


def test_the_example_config_is_accepted_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFM_CONFIG", str(ROOT / "config/example.toml"))
    settings = load({"home": "/nowhere"})
    defaults = Settings(home=Path("/nowhere"))
    assert settings.model_dump() == defaults.model_dump()
    assert tomllib.loads((ROOT / "config/example.toml").read_text()).keys() <= Settings.model_fields.keys()
