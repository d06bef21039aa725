"""A run as one HTML file that a person reads: figures, plots, and the formulas beside them."""

from collections.abc import Iterable, Sequence
from html import escape

from openfm.load.outcome import Outcome
from openfm.load.plots import Axes, Series, cumulative, plot
from openfm.load.report import FORMULAS, Run
from openfm.load.statistics import PERCENTILES, Distribution, Summary

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0 0 1.5rem; }
th, td { text-align: right; padding: .2rem .8rem; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; margin: 0 0 1.5rem; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
svg .title { font-size: 13px; font-weight: 600; }
svg .grid { stroke: #8883; } svg .bound { stroke: #dc2626; stroke-dasharray: 5 4; }
.bad { color: #dc2626; } dt { font-weight: 600; } dd { margin: 0 0 .4rem 1rem; }
"""


def html_report(run: Run) -> str:
    """The whole page; it loads nothing from anywhere."""
    summary = run.summary
    verdict = "<strong>met</strong>" if summary.is_objective_met else "<strong class=bad>not met</strong>"
    body = [
        f"<h1>Load test of {escape(str(run.asked.get('target', 'an endpoint')))}</h1>",
        f"<p>{escape(run.began_at)}. Objective: {escape(str(summary.objective))}: {verdict}.</p>",
        *(f"<p><strong>{escape(note)}</strong></p>" for note in run.notes),
        _table(("figure", "value"), _figures(summary)),
        _table(("ms", "mean", *(f"p{rank:g}" for rank in PERCENTILES), "max"), _latencies(summary)),
        *_plots(run),
        "<h2>What was asked</h2>",
        _table(("option", "value"), ((name, str(value)) for name, value in run.asked.items())),
        "<h2>Formulas</h2><dl>",
        *(f"<dt>{escape(name)}</dt><dd>{escape(formula)}</dd>" for name, formula in FORMULAS.items()),
        "</dl>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Load test</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _figures(summary: Summary) -> list[tuple[str, str]]:
    guessed = " (estimated)" if summary.estimated else ""
    return [
        ("measured window", f"{summary.seconds:.1f} s"),
        ("offered", f"{summary.offered_per_s:.2f} requests/s, {summary.requests} in all"),
        ("answered", f"{summary.requests_per_s:.2f} requests/s, {summary.answered} in all"),
        ("errors", summary.errors_told),
        ("goodput", f"{summary.goodput_per_s:.2f} requests/s, {summary.goodput_share:.1%} of those offered"),
        (
            "prompt tokens",
            f"{summary.prompt_tokens_per_s:.1f} /s, {summary.cached_tokens_per_s:.1f} /s cached{guessed}",
        ),
        ("completion tokens", f"{summary.completion_tokens_per_s:.1f} /s{guessed}"),
    ]


def _latencies(summary: Summary) -> list[tuple[str, ...]]:
    return [
        _latency("TTFT", summary.ttft_ms),
        _latency("TPOT", summary.tpot_ms),
        _latency("E2E", summary.e2e_ms),
        _latency("late", summary.late_ms),
    ]


def _latency(name: str, found: Distribution) -> tuple[str, ...]:
    values = [found.mean, *(found.percentiles[rank] for rank in PERCENTILES), found.maximum]
    return (name, *("-" if value is None else f"{value:.1f}" for value in values))


def _plots(run: Run) -> list[str]:
    answered = [outcome for outcome in run.outcomes if outcome.is_ok]
    objective = run.summary.objective
    over_time = [
        ("TTFT", objective.ttft_ms, [(_due(run, o), o.ttft_s * 1000) for o in answered if o.ttft_s is not None]),
        ("TPOT", objective.tpot_ms, [(_due(run, o), o.tpot_s * 1000) for o in answered if o.tpot_s is not None]),
        ("E2E", objective.e2e_ms, [(_due(run, o), o.e2e_s * 1000) for o in answered]),
    ]
    drawn = [
        plot(Axes(f"{name} of each request", "due, s", "ms", bound), [Series(name, points, is_dotted=True)])
        for name, bound, points in over_time
        if points
    ]
    shares = [Series(name, cumulative([y for _, y in points])) for name, _, points in over_time if points]
    if shares:
        drawn.append(plot(Axes("Share of the answers that took no longer", "ms", "%"), shares[:2] or shares))
    drawn.append(
        plot(Axes("Completion tokens of answers, by the second in which they ended", "s", "tokens/s"), _rate(run))
    )
    return drawn


def _due(run: Run, outcome: Outcome) -> float:
    return outcome.due_s - run.origin_s


def _rate(run: Run) -> Sequence[Series]:
    ended: dict[int, int] = {}
    for outcome in run.outcomes:
        if outcome.is_ok:
            second = int(outcome.ended_s - run.origin_s)
            ended[second] = ended.get(second, 0) + outcome.completion_tokens
    seconds = range(max(ended, default=0) + 1)
    return [Series("tokens", [(float(second), float(ended.get(second, 0))) for second in seconds])]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"
