"""Each server's own validation of the document that it reads at its start."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Workload

AUTHORITY = ROOT / "tests/fixtures/authority.pem"
ARGUMENTS = {"otelcol-contrib": ("validate",), "jaeger": ("validate",), "oauth2-proxy": ("--config-test",)}
"""The arguments with which each server validates a document and ends."""


def validated(program: Path, workload: Workload, folder: Path) -> subprocess.CompletedProcess[str]:
    """Have a server validate its workload's document: the status is 0 where the server takes it."""
    document = folder / workload.documents[0].name
    text = workload.documents[0].text
    for file in workload.secret_files:
        text = text.replace(file.path, str(AUTHORITY))
    document.write_text(text)
    # Names that the pod is given; the secrets have the form that they must have.
    secrets = {variable.variable: "0123456789abcdef" for variable in workload.secret_variables}
    command = [str(program), *ARGUMENTS[workload.server.program], f"--config={document}"]
    given = os.environ | {"NODE_NAME": "node"} | secrets
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)
