"""The strategies that services are told, held against the plan's, by asking each strategy server."""

from __future__ import annotations

import json
import math
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from components.documents import ports
from stacks.verify.doors import basic
from stacks.verify.requests import FAILURES, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stacks.verify.findings import Account
    from stacks.verify.look import Look
    from stacks.verify.site import Instance

_OTHER = "verify-no-such-service"
"""A service that no environment names: it is told the default."""
_OK = 200


def strategies(look: Look, account: Account) -> None:
    """Ask for the strategy of each service that the environment names, and of one that it does not."""
    site = look.site
    account.then = f"{site.logs('sampling')}; place the plan anew: {site.again}"
    told = []
    for instance in look.running("sampling"):
        planned = next(document.text for document in instance.workload.documents if document.name == "strategies.json")
        wanted = json.loads(planned)
        named = {entry["service"]: entry for entry in wanted["service_strategies"]}
        entries = {**named, _OTHER: wanted["default_strategy"]}
        answers = [_answered(look, account, instance, service, entry) for service, entry in entries.items()]
        if all(answers):
            told.append(instance.name)
    if told:
        account.facts.append(f"told by {', '.join(told)} as the environment has them")


def _answered(look: Look, account: Account, instance: Instance, service: str, entry: Mapping[str, Any]) -> bool:
    """Ask for the strategy of a service, and account for what differs; whether there was an answer."""
    outputs = look.site.outputs
    secured = look.site.plan.endpoints.strategies.startswith("https")
    trust = ssl.create_default_context(cadata=outputs.otlp_certificate) if secured else None
    token = outputs.otlp_token.get_secret_value() if outputs.otlp_token is not None else None
    try:
        with look.site.reach(instance, ports.STRATEGIES) as way:
            answer = ask(way, f"/api/sampling?{urlencode({'service': service})}", trust=trust, headers=basic(token))
    except FAILURES as error:
        account.unseen.append(f"{instance.name} cannot be asked: {error}")
        return False
    if answer.status != _OK:
        account.unseen.append(f"{instance.name} answers {answer.status} to a question for strategies")
        return False
    told = "other services" if service == _OTHER else service
    account.faults += [f"{instance.name} tells {told} {what}" for what in _differing(json.loads(answer.text), entry)]
    return True


def _differing(told: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """Ways in which an answer of Jaeger's protocol says something else than an entry of the strategies file."""
    if entry["type"] == "ratelimiting":
        rate = (told.get("rateLimitingSampling") or {}).get("maxTracesPerSecond")
        # The protocol carries whole numbers.
        if rate is None or math.floor(entry["param"]) != rate:
            yield f"{rate} traces/s, planned {entry['param']}"
        return
    operations = told.get("operationSampling") or {}
    ratio = operations.get("defaultSamplingProbability", (told.get("probabilisticSampling") or {}).get("samplingRate"))
    if not _same(ratio, entry["param"]):
        yield f"a ratio of {ratio}, planned {entry['param']}"
    wanted = {one["operation"]: one["param"] for one in entry.get("operation_strategies", ())}
    has = {one["operation"]: one["probabilisticSampling"]["samplingRate"] for one in operations.get("perOperationStrategies") or ()}
    for operation in dict.fromkeys([*wanted, *has]):
        # The server adds the default's ratio for operations of its own; what is planned is compared.
        if operation in wanted and not _same(has.get(operation), wanted[operation]):
            yield f"a ratio of {has.get(operation)} for {operation}, planned {wanted[operation]}"
        elif operation not in wanted and not _same(has[operation], entry["param"]):
            yield f"a ratio of {has[operation]} for {operation}, which is not planned"


def _same(told: float | None, planned: float) -> bool:
    return told is not None and math.isclose(told, planned, rel_tol=1e-6, abs_tol=1e-9)
