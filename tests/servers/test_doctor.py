"""The doctor on the real stack: healthy, and told where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from stacks.environment.source import ROOT
from tests.servers.conftest import named
from tests.waiting import STALL_SECONDS
from tracing_lib.contract.settings import TracingSettings
from tracing_lib.doctor import Diagnosis, diagnose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import Deploy


def _doctor(outputs: Path, *, wait: float = STALL_SECONDS) -> tuple[int, dict[str, str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "VIRTENGINE_"))}
    command = [sys.executable, "-m", "tracing_lib", "doctor", "--json", "--wait", str(wait), "--outputs", str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    return done.returncode, {check["name"]: check["verdict"] for check in json.loads(done.stdout)["checks"]}


def _verdicts(found: Diagnosis) -> dict[str, str]:
    return {check.name: check.verdict for check in found.checks}


def test_a_stack_that_runs_is_healthy_and_one_without_its_parts_is_told_which(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        status, verdicts = _doctor(running.outputs_file)
        assert (status, set(verdicts.values()) - {"skipped"}) == (0, {"ok"}), verdicts
        assert verdicts["test span out"] == verdicts["strategies"] == "ok"
        settings = TracingSettings.from_outputs(running.outputs, service_name="portal", protocol="grpc")
        assert diagnose(settings, running.outputs, wait_seconds=STALL_SECONDS).healthy
        running.supervisor.stop("jaeger")
        away = diagnose(settings, running.outputs, wait_seconds=0.5)
        assert (_verdicts(away)["test span in"], _verdicts(away)["test span out"]) == ("ok", "failed")
        running.supervisor.stop("gateway")
        assert _verdicts(diagnose(settings, running.outputs))["connection"] == "failed"
