"""The way of a span, measured: ``make benchmark`` or ``python -m benchmarks.span_way``.

Prints tables, and writes them with pictures and the raw figures to ``benchmarks/results/``. Every claim is a ratio to a named peer of
the same run: candidates take turns, each in a process of its own. ``--quick`` takes two minutes and says less.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import pictures
from benchmarks.exporting import VENDORS, WARM_UP
from benchmarks.handlers import MODES
from benchmarks.rounds import ask, interval, run, shown, sink, turned

RESULTS = Path(__file__).parent / "results"
PEER = "stock OTLP/HTTP"
WITHIN = 0.2


class Report:
    """Lines that are printed and kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.raw: dict[str, Any] = {}

    def say(self, line: str = "") -> None:
        """Print and keep a line."""
        print(line, flush=True)
        self.lines.append(line)

    def limit(self, name: str, value: float, most: float, unit: str) -> None:
        """Say whether a figure keeps its limit."""
        self.say(f"{name:<48} {value:>9.2f} {unit:<6} limit {most:g}: {'kept' if value <= most else 'NOT KEPT'}")


def exporting(report: Report, rounds: int, spans: int) -> None:
    """CPU per exported span of every vendor."""
    found: dict[str, list[float]] = {name: [] for name in VENDORS}
    ratios: dict[str, list[float]] = {name: [] for name in VENDORS}
    with sink() as url:
        for number in range(rounds):
            this: dict[str, float] = {}
            for name in turned(list(VENDORS), number):
                ask(url, "/reset")
                result = run("benchmarks.exporting", name, url, "--spans", str(spans))
                if result is not None:
                    this[name] = result["cpu"]
                    counts = ask(url, "/count")
                    if ("OTLP" in name or "virtengine" in name) and counts["spans"] != spans + WARM_UP:
                        raise SystemExit(f"{name}: the sink has {counts['spans']} of {spans + WARM_UP} spans")
            for name, cpu in this.items():
                found[name].append(cpu)
                ratios[name].append(cpu / this[PEER])
    report.say(f"CPU per exported span, traces of 10, 5 attributes, {rounds} rounds of {spans} spans: median [90 % interval]")
    for name in VENDORS:
        if ratios[name]:
            report.say(f"  {name:<36} {shown(found[name], 1):>24} µs   {shown(ratios[name]):>20} x {PEER}")
    report.limit("virtengine / stock OTLP/HTTP", interval(ratios["virtengine"])[0], 0.5, "x")
    report.raw["exporting"] = {"cpu": found, "ratio": ratios}


def costs(report: Report) -> None:
    """The small costs."""
    report.say()
    unsampled = run("benchmarks.costs", "unsampled")
    report.limit(f"unsampled child by `with` (SDK: {unsampled['stock']:.1f} µs)", unsampled["ours"], 2.0, "µs")
    decorated = run("benchmarks.costs", "decorator")
    if decorated:
        report.limit("disabled decorator", decorated["ours"], 0.3, "µs")
    else:
        report.say("disabled decorator: missing (there is no tracing_lib.traced here)")
    imported = run("benchmarks.costs", "imports")
    sdk = imported["sdk"]
    report.limit(f"import tracing_lib, on top of the SDK's {sdk:.0f} ms", imported["package"] - sdk, 100, "ms")
    own = imported["usable"] - imported["pydantic"]
    report.limit("  all of the library, pydantic being imported", own, 100, "ms")
    rest = ", ".join(f"{name} {imported[name] - sdk:.0f} ms" for name in ("pydantic", "usable", "configured", "stock exporter"))
    report.say(f"  on top of the SDK: {rest}")
    queued = run("benchmarks.costs", "queued")
    report.limit(f"a queued span (accounted: {queued['accounted']:.0f})", queued["bytes"], 400, "bytes")
    report.raw["costs"] = {"unsampled": unsampled, "decorator": decorated, "imports": imported, "queued": queued}


def handlers(report: Report, rounds: int) -> None:
    """What tracing adds to an echo."""
    report.say()
    report.say(f"Echo handlers, {rounds} rounds: added to a call without tracing, median [90 % interval]")
    for kind in ("grpc", "asgi"):
        added: dict[str, dict[str, list[float]]] = {mode: {"p50": [], "p95": []} for mode in MODES}
        off = []
        with sink() as url:
            for number in range(rounds):
                this = {mode: run("benchmarks.handlers", kind, mode, url) for mode in turned(MODES, number)}
                off.append(this["off"]["p50"])
                for mode, result in this.items():
                    for which in ("p50", "p95"):
                        if result is not None:
                            added[mode][which].append(result[which] - this["off"][which])
        report.say(f"  {kind}: {shown(off, 1)} µs without")
        names = {"stock": "contrib, stock pipeline", "ours": "contrib, this library's pipeline", "own": "this library's own"}
        for mode, name in names.items():
            report.say(f"    {name:<34} p50 +{shown(added[mode]['p50'], 1)}   p95 +{shown(added[mode]['p95'], 1)} µs")
        report.raw[f"{kind} echo"] = {"off": off, "added": added}


def million(report: Report, spans: int) -> None:
    """Full speed against a collector that takes a tenth."""
    with sink("--accept", "10") as url:
        result = run("benchmarks.million", url, "--spans", str(spans))
        counts = ask(url, "/count")
    windows = result["windows"]
    settled = windows[len(windows) // 4 :]
    dropped = sum(result["dropped"].values())
    report.say()
    report.say(f"{spans:,} spans at full speed, one request in ten accepted ({counts['requests']} requests, {counts['refused']} refused)")
    memory = [window["MiB"] for window in settled]
    report.say(
        f"  memory after the first quarter: {memory[0]:.1f} MiB, at the end {memory[-1]:.1f} MiB; queue {result['queued_bytes']:,} bytes"
    )
    for which in ("p50", "p99"):
        values = [window[which] for window in settled]
        report.say(f"  caller's {which}: {values[0]:.1f} µs, at the end {values[-1]:.1f} µs, worst window {max(values):.1f} µs")
    balance = result["started"] == result["exported"] + dropped + result["queued"]
    report.say(f"  started {result['started']:,} = exported {result['exported']:,} + dropped {dropped:,}: {balance}; {result['dropped']}")
    report.say(f"  the sink counted {counts['spans']:,} spans: {'equal' if counts['spans'] == result['exported'] else 'NOT EQUAL'}")
    report.raw["million"] = {**result, "sink": counts}


def steps(report: Report, interval_seconds: float) -> None:
    """Sampling under traffic that steps."""
    result = run("benchmarks.steps", "--interval", str(interval_seconds))
    report.say()
    report.say(f"Traffic steps (root spans/s, interval {interval_seconds:g} s); sampled/s from two intervals after the step on")
    for entry in result["verdict"]:
        within = "" if abs(entry["of_target"] - 1) <= WITHIN else "  NOT WITHIN 20 %"
        line = f"  {entry['traffic']:>5}/s  {entry['operation']:<8} {entry['per_second']:>7.1f}/s of {entry['wanted']:>6.1f}/s"
        report.say(f"{line}  {entry['of_target']:.2f}{within}   least ratio {entry['least_ratio']:.4f}")
    report.raw["steps"] = result


def main() -> None:
    """Measure all."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # logfire's imports OpenTelemetry wherever pydantic is used
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    quick = (arguments := parser.parse_args()).quick
    RESULTS.mkdir(exist_ok=True)
    report = Report()
    report.say(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    exporting(report, arguments.rounds or (3 if quick else 11), 10_000 if quick else 30_000)
    costs(report)
    handlers(report, 3 if quick else 7)
    million(report, 100_000 if quick else 1_000_000)
    steps(report, 1.0 if quick else 2.0)
    report.say(f"load at the end {os.getloadavg()[0]:.1f}")
    (RESULTS / "span_way.txt").write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    (RESULTS / "span_way.json").write_text(json.dumps(report.raw, indent=1), encoding="utf-8")
    pictures.draw(report.raw, RESULTS)


if __name__ == "__main__":
    main()
