"""The pages about the command line and the models are what the code says."""

from pathlib import Path

from openfm.catalog.catalog import load_catalog
from openfm.catalog.reference import models_page
from openfm.cli.reference import cli_page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_command_lines_page_is_up_to_date() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    assert text == cli_page(), "run: python -m openfm.cli.reference > docs/reference/cli.md"


def test_the_models_page_is_up_to_date() -> None:
    text = (REFERENCE / "models.md").read_text(encoding="utf-8")
    assert text == models_page(load_catalog()), "run: python -m openfm.catalog.reference > docs/reference/models.md"
