"""A throughput profile for people."""

import sys
from datetime import UTC, datetime

from openfm.cli.access_api import Facts
from openfm.cli.output import print_facts, print_table, print_text
from openfm.cli.text import neutral


def print_profile(profile: Facts) -> None:
    """Write what was measured, where, and what it means."""
    if profile.get("warning"):
        sys.stderr.write(f"Warning: {neutral(str(profile['warning']))}\n")
    setting, weights = profile["setting"], profile["weights"]
    engine, hardware, objective = setting["engine"], setting["hardware"], setting["objective"]
    prompt, completion = setting["shape"]
    shape = f"{prompt} prompt and {completion} completion tokens"
    print_facts(
        [
            ("model", f"{profile['entity_name']}/{profile['entity_version']}"),
            ("measured", f"{datetime.fromtimestamp(setting['measured_at'] / 1000, UTC):%Y-%m-%d %H:%M} UTC"),
            ("hardware", _hardware(hardware)),
            ("engine", f"{engine['name']} {engine['version']}, {engine['slots']} slots, {engine['threads']} threads"),
            ("objective", shown_objective(objective)),
            ("load", f"{setting['load_s']:.1f} s, {setting['memory_bytes'] / 2**20:.0f} MiB"),
            ("work a token", _weights(weights)),
            ("fit", f"{_fit(profile['fit_error'])}, seed {setting['seed']}"),
            ("saturated", f"{profile['saturated_work_per_s']:.1f} tokens/s of work"),
            ("within objective", _knee(profile, shape)),
            ("sold in", f"units of {profile['throughput_chunk_size']} tokens/s"),
        ]
    )
    print_text("")
    decode = {rate["batch"]: rate["tokens_per_s"] for rate in profile["decode"]}
    rows = [
        (str(rate["batch"]), f"{rate['tokens_per_s']:.1f}", f"{decode[rate['batch']]:.1f}" if decode else "-")
        for rate in profile["prefill"]
    ]
    print_table(("AT ONCE", "PREFILL tok/s", "DECODE tok/s"), rows)


def _hardware(hardware: Facts) -> str:
    gpus = f", {', '.join(hardware['gpus'])}" if hardware["gpus"] else ""
    return f"{hardware['processor']}, {hardware['cores']} cores, {hardware['memory_bytes'] / 2**30:.0f} GiB{gpus}"


def shown_objective(objective: Facts) -> str:
    """Bounds and percentile in one line."""
    bounds = [(name.upper(), objective[f"{name}_ms"]) for name in ("ttft", "tpot", "e2e")]
    shown = ", ".join(f"{name} ≤ {bound:g} ms" for name, bound in bounds if bound is not None)
    return f"{shown} at p{objective['percentile']:g}"


def _fit(error: float | None) -> str:
    return "no more runs than costs, so no error" if error is None else f"runs off by {error:.1%} (median)"


def _weights(weights: Facts) -> str:
    return (
        f"prompt {weights['prompt']:.3f}, cached prompt {weights['cached_prompt']:.3f}, "
        f"completion {weights['completion']:.3f}"
    )


def _knee(profile: Facts, shape: str) -> str:
    estimated = " (an estimate)" if profile["is_provisional"] else ""
    return (
        f"{profile['knee_work_per_s']:.1f} tokens/s of work: "
        f"{profile['knee_requests_per_s'] * 60:.0f} requests/min of {shape}{estimated}"
    )
