"""A run's figures for people at a terminal."""

from openfm.cli.output import print_facts, print_table, print_text
from openfm.load.report import FORMULAS, Run
from openfm.load.statistics import PERCENTILES, Distribution


def print_run(run: Run) -> None:
    """Write figures, latencies and the formulas behind them."""
    summary = run.summary
    guessed = ", estimated" if summary.estimated else ""
    verdict = "met" if summary.is_objective_met else "not met"
    print_facts(
        [
            ("target", str(run.asked["url"])),
            ("window", f"{summary.seconds:.1f} s, after {run.warm_up} requests of warm-up"),
            ("offered", f"{summary.offered_per_s:.2f} requests/s ({summary.requests})"),
            ("answered", f"{summary.requests_per_s:.2f} requests/s ({summary.answered})"),
            ("errors", summary.errors_told),
            (
                "prompt",
                f"{summary.prompt_tokens_per_s:.1f} tokens/s ({summary.cached_tokens_per_s:.1f} cached){guessed}",
            ),
            ("completion", f"{summary.completion_tokens_per_s:.1f} tokens/s{guessed}"),
            ("goodput", f"{summary.goodput_per_s:.2f} requests/s ({summary.goodput_share:.1%} of those offered)"),
            ("objective", f"{summary.objective}: {verdict}"),
        ]
    )
    print_text("")
    rows = (("TTFT", summary.ttft_ms), ("TPOT", summary.tpot_ms), ("E2E", summary.e2e_ms), ("late", summary.late_ms))
    columns = ("ms", "MEAN", *(f"P{rank:g}" for rank in PERCENTILES), "MAX")
    print_table(columns, [(name, *_row(found)) for name, found in rows])
    print_text("")
    print_facts(list(FORMULAS.items()))
    for note in run.notes:
        print_text(note)


def _row(found: Distribution) -> list[str]:
    values = [found.mean, *(found.percentiles[rank] for rank in PERCENTILES), found.maximum]
    return ["-" if value is None else f"{value:.1f}" for value in values]
