"""The days for which certificates are still valid, as their servers show them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509

from components.documents import ports
from stacks.verify.findings import CannotTellError
from stacks.verify.requests import FAILURES, certificate
from stacks.verify.site import Way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from stacks.verify.findings import Account
    from stacks.verify.look import Look

LEAST = timedelta(days=14)
"""Validity below which somebody has to look; of a certificate that lives shorter than eight weeks, a quarter of its life."""
_QUARTER = 4
_MOST = 3


def certificates(look: Look, account: Account) -> None:
    """Look at the certificate of each kind of server that has one, and at the authority that services are told."""
    account.then = "renew it, or see why its issuer has not: docs/operating.md"
    doors = list(_doors(look))
    if not doors:
        account.absent = "nothing here is reached over TLS (ingest.tls_secret, access)"
        return
    for what, way in doors:
        try:
            with way as found:
                shown = x509.load_der_x509_certificate(certificate(found))
        except (*FAILURES, CannotTellError) as error:
            account.unseen.append(f"{what}: cannot be looked at from here ({error})")
        else:
            _judge(account, what, shown)
    if look.site.outputs.otlp_certificate is not None:
        for authority in x509.load_pem_x509_certificates(str(look.site.outputs.otlp_certificate).encode()):
            _judge(account, "the authority that services are told", authority)


def _judge(account: Account, what: str, shown: x509.Certificate) -> None:
    left = shown.not_valid_after_utc - datetime.now(UTC)
    least = min(LEAST, (shown.not_valid_after_utc - shown.not_valid_before_utc) / _QUARTER)
    days = left.total_seconds() / 86_400
    told = f"{what}: {days:.0f} days left" if left > timedelta() else f"{what}: expired {-days:.0f} days ago"
    (account.faults if left < least else account.facts).append(told)


def _doors(look: Look) -> Iterator[tuple[str, AbstractContextManager[Way]]]:
    """Servers that show a certificate, each with a way there."""
    site, plan = look.site, look.site.plan
    for workload in plan.workloads:
        if any(file.key == "tls.crt" for file in workload.secret_files):
            port = ports.STRATEGIES if workload.name == "sampling" else ports.OTLP_HTTP
            yield from ((instance.name, site.reach(instance, port)) for instance in look.running(workload.name)[:_MOST])
    if plan.stores[0].ui.startswith("https"):
        yield "the user interface", _site(plan.stores[0].ui)


@contextmanager
def _site(url: str) -> Iterator[Way]:
    parts = urlsplit(url)
    yield Way(str(parts.hostname), parts.port or 443, str(parts.hostname))
