"""A canary: one trace with a secret and personal values, sent as a service does, and read back as a person does."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from stacks.deploy.probe import SERVICE, ProbeError, received, send
from stacks.show.errors import QueryError
from stacks.show.fetch import protocol_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.show.stored import Trace
    from stacks.verify.findings import Account
    from stacks.verify.look import Look

NAME = "canary"
"""Name of its span. With ``service.name`` of the probe it is told apart from everything that services send."""
MARK = "virtengine.verify"
"""Attribute that nothing has to mask: where it is missing, the others prove nothing."""

WAIT_SECONDS = 30.0
"""Time from the decision of the tail sampler until the trace can be read."""


def planted() -> tuple[dict[str, str], dict[str, str]]:
    """Attributes to send, and by the kind of each value the text that must not come out."""
    token, password = secrets.token_hex(16), secrets.token_hex(12)
    person, number = f"canary.{secrets.token_hex(6)}", f"{secrets.randbelow(10**7):07d}"
    attributes = {
        MARK: secrets.token_hex(4),
        "http.request.header.authorization": f"Bearer {token}",
        "db.statement": f"CONNECT password={password}",
        "note": f"write to {person}@example.org or call +49 30 {number}",
        "user.full_name": person,
    }
    return attributes, {"a bearer token": token, "a password": password, "an e-mail address": person, "a telephone number": number}


def canary(look: Look, delivery: Account, privacy: Account) -> None:
    """Send one, wait for it, and look for what must not be in it."""
    site, began = look.site, time.monotonic()
    attributes, hidden = planted()
    entry = "agent" if any(workload.name == "agent" for workload in site.plan.workloads) else "gateway"
    delivery.then, privacy.then = site.logs("gateway"), f"{site.logs(entry)}; place the plan anew: {site.again}"
    look.configured(privacy, entry, f"the redaction of each {entry} is as planned")
    try:
        protocol_of(site.outputs)
    except QueryError as error:
        for account in (delivery, privacy):
            account.unseen.append(str(error))
        return
    try:
        sent = send(site.environment, site.outputs, wait_seconds=0, way=site.way, attributes=attributes, name=NAME)
        trace = received(sent, site.outputs, wait_seconds=WAIT_SECONDS, way=site.way)
    except ProbeError as error:
        delivery.faults.append(str(error).partition("\nthen:")[0])
        privacy.unseen.append("the canary did not come out")
        return
    delivery.facts.append(f"trace {trace.trace_id} of {SERVICE} could be read {time.monotonic() - began:.0f} s after it was sent")
    _compare(trace, attributes, hidden, privacy)


def _compare(trace: Trace, attributes: Mapping[str, str], hidden: Mapping[str, str], privacy: Account) -> None:
    text = json.dumps(asdict(trace), default=bytes.hex, ensure_ascii=False)
    if attributes[MARK] not in text:
        privacy.unseen.append(f"the canary came out without its mark {MARK}, so that nothing is proven by what else is missing")
        return
    shown = [kind for kind, value in hidden.items() if value in text]
    if shown:
        privacy.faults.append(f"{', '.join(shown)} of the canary can be read in trace {trace.trace_id}")
    else:
        privacy.facts.append(f"{', '.join(hidden)} of the canary came out masked")
