"""The plan as text."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.workload import Plan


def plan_json(plan: Plan) -> str:
    """The plan as JSON, its documents and dashboards named by their checksums."""
    tree = dataclasses.asdict(plan)
    for workload, source in zip(tree["workloads"], plan.workloads, strict=True):
        workload["documents"] = {d.name: {"on_change": d.on_change, "sha256": d.checksum} for d in source.documents}
        workload["image"] = source.server.image
    tree["monitoring"]["dashboards"] = {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in plan.monitoring.dashboards.items()
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
