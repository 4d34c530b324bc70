"""Pictures of what ``span_way`` measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.rounds import interval
from benchmarks.steps import TARGETS

if TYPE_CHECKING:
    from pathlib import Path


def draw(raw: dict[str, Any], folder: Path) -> None:
    """Draw CPU by vendor, the million spans, and the traffic steps."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    _vendors(plt, raw["exporting"]["ratio"], folder / "cpu.svg")
    _million(plt, raw["million"]["windows"], folder / "million.svg")
    _steps(plt, raw["steps"], folder / "steps.svg")
    print(f"pictures: {folder}/cpu.svg, million.svg, steps.svg")


def _vendors(plt: Any, ratios: dict[str, list[float]], path: Path) -> None:  # noqa: ANN401
    found = {name: interval(values) for name, values in ratios.items() if values}
    figure, axes = plt.subplots(figsize=(8, 3.5))
    middles = [middle for middle, _, _ in found.values()]
    errors = [[middle - low for middle, low, _ in found.values()], [high - middle for middle, _, high in found.values()]]
    axes.barh(list(found), middles, xerr=errors, color="#4477aa")
    axes.axvline(0.5, color="#cc3311", linestyle="--")
    axes.set_xlabel("CPU per exported span ÷ stock OTLP/HTTP (line: the target)")
    axes.invert_yaxis()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _million(plt: Any, windows: list[dict[str, float]], path: Path) -> None:  # noqa: ANN401
    seconds = [window["seconds"] for window in windows]
    figure, (memory, latency) = plt.subplots(2, 1, figsize=(8, 5), sharex=True)
    memory.plot(seconds, [window["MiB"] for window in windows])
    memory.set(ylabel="resident, MiB", ylim=(0, None))
    for which in ("p50", "p99"):
        latency.plot(seconds, [window[which] for window in windows], label=which)
    latency.set(ylabel="a span takes its caller, µs", xlabel="seconds", ylim=(0, None))
    latency.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _steps(plt: Any, result: dict[str, Any], path: Path) -> None:  # noqa: ANN401
    rows, half = result["rows"], result["interval"] / 2
    figure, axes = plt.subplots(len(TARGETS), 1, figsize=(8, 9), sharex=True)
    for axis, (name, target) in zip(axes, TARGETS.items(), strict=True):
        at = [row["at"] for row in rows]
        axis.step(at, [row["counts"][name][0] / half for row in rows], color="#bbbbbb", label="begun")
        axis.step(at, [row["counts"][name][1] / half for row in rows], color="#4477aa", label="sampled")
        axis.axhline(target, color="#cc3311", linestyle="--", label="target")
        axis.set_yscale("symlog")
        axis.set_ylabel(f"{name}, 1/s")
    axes[0].legend(ncols=3)
    axes[-1].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
