"""Reports: for programs and for people."""

import json
from xml.etree import ElementTree as ET

from openfm.core.objective import Objective
from openfm.load.html_report import html_report
from openfm.load.outcome import Outcome
from openfm.load.plots import Axes, Series, plot
from openfm.load.report import FORMULAS, Run, run_to_json
from openfm.load.statistics import summarise

OUTCOMES = [
    Outcome(100.0, 100.0, 101.0, 100.2, prompt_tokens=5, completion_tokens=9),
    Outcome(101.0, 101.0, 101.1, error="429"),
]


def run(target: str = "chat", outcomes: list[Outcome] = OUTCOMES) -> Run:
    summary = summarise(outcomes, Objective(ttft_ms=500), offered_s=2.0)
    return Run({"target": target, "seed": 1}, outcomes, summary, origin_s=100.0, began_at="2026-01-01T00:00:00Z")


def test_json_has_the_formulas_the_figures_and_every_request_by_time_from_the_beginning() -> None:
    written = json.loads(json.dumps(run_to_json(run()), allow_nan=False))
    assert written["formulas"] == FORMULAS
    assert written["summary"]["errors"] == {"429": 1}
    assert written["summary"]["ttft_ms"]["p95"] == 200.0
    assert written["requests"][0]["first_s"] == 0.2
    assert written["requests"][1]["error"] == "429"


def test_html_is_one_file_that_loads_nothing() -> None:
    page = html_report(run())
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "1 of 429" in page


def test_names_from_outside_cannot_write_into_the_page() -> None:
    assert "<script>" not in html_report(run("<script>alert(1)</script>"))


def test_a_run_without_an_answer_still_has_a_report() -> None:
    page = html_report(run(outcomes=[OUTCOMES[1]]))
    assert "not met" in page


def test_a_plot_is_well_formed_and_stays_inside_its_frame() -> None:
    drawn = plot(Axes("a < b", "x", "y", bound=7.0), [Series("one", [(0.0, 0.0), (3.0, 5.0)])])
    root = ET.fromstring(drawn)  # noqa: S314  # what the line above wrote
    line = next(part for part in root.iter() if part.tag.endswith("polyline"))
    places = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert all(0 <= x <= 640 and 0 <= y <= 260 for x, y in places)
