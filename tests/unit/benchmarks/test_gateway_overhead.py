from pathlib import Path

from benchmarks._load import Sample
from benchmarks.gateway_overhead import cpu_model, percentile, summary


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (51.0, 100.0, 7.0)


def test_rates_are_medians_of_rounds_and_latencies_are_pooled() -> None:
    rounds = [Sample(1.0, [0.001] * n, [0.0005] * n, frames=10 * n, cpu_s=0.0001 * n) for n in (10, 20, 90)]
    figures = summary({"openfm": rounds})["openfm"]
    assert (figures["requests_per_s"], figures["frames_per_s"]) == (20, 200)
    assert (figures["p50_ms"], figures["ttft_p99_ms"]) == (1.0, 0.5)
    assert round(figures["cpu_us"]) == 100


def test_the_machine_is_named_by_its_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast CPU\n", encoding="utf-8")
    assert cpu_model(cpuinfo) == "Fast CPU"
