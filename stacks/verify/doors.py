"""Doors tried as a stranger: the intake, the strategy server and the user interface.

Nothing is written: requests hold no span.
"""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.documents import ports
from components.documents.jaeger import STRATEGIES_USER
from stacks.plan.parts import TOKEN
from stacks.verify.requests import FAILURES, ask, blind
from stacks.verify.site import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.workload import Workload
    from stacks.verify.findings import Account
    from stacks.verify.look import Look

_MOST = 3
"""Instances that are tried; those of one workload have one document."""
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 200, 400, 401, 403
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_GRPC_SECONDS = 10.0
_UNREACHED = "UNAVAILABLE"
"""Status of gRPC where nobody answers, or where the certificate is not trusted."""
_REFUSED, _SILENT = 0, -1
"""In place of a status: no connection, and no answer in time."""
_WRONG = "no-token-of-this-stack"


@dataclass(frozen=True, slots=True)
class _Door:
    """A door that asks for a token where ``asks``, over TLS where ``secured``.

    ``token`` and ``authority`` are those of the outputs; ``knock`` sends a request with a token and a trust, and gives the status.
    """

    place: str
    secured: bool
    token: str | None
    asks: bool
    authority: str | None
    knock: Callable[[str | None, ssl.SSLContext | None], int]


def intake(look: Look, account: Account) -> None:
    """Try the intake of some nodes, by both protocols."""
    site, plan = look.site, look.site.plan
    workload = _entry(look)
    asks, secured = _asks(workload), plan.endpoints.otlp_http.startswith("https")
    account.then = f"{site.logs(workload.name)}; place the plan anew: {site.again}"
    if not asks and not secured:
        account.absent = "the environment asks for neither a token nor TLS at the intake (ingest.token_secret, ingest.tls_secret)"
        return
    for instance in look.running(workload.name)[:_MOST]:
        with site.reach(instance, ports.OTLP_HTTP) as way:
            answers = _try(account, _door(look, f"{instance.name} over HTTP", way, _post, asks=asks, secured=secured))
        if not answers:
            continue
        with site.reach(instance, ports.OTLP_GRPC) as way:
            _try_grpc(look, account, f"{instance.name} over gRPC", way, asks=asks, secured=secured)


def strategies_access(look: Look, account: Account) -> None:
    """Try the strategy servers."""
    site, workload = look.site, look.site.plan.workload("sampling")
    asks, secured = site.plan.endpoints.strategies_user is not None, site.plan.endpoints.strategies.startswith("https")
    account.then = f"{site.logs(workload.name)}; place the plan anew: {site.again}"
    if not asks and not secured:
        account.absent = "the environment asks for neither a token nor TLS at the strategy server (ingest.token_secret, ingest.tls_secret)"
        return
    for instance in look.running(workload.name)[:_MOST]:
        with site.reach(instance, ports.STRATEGIES) as way:
            _try(account, _door(look, instance.name, way, _strategy, asks=asks, secured=secured))


def login(look: Look, account: Account) -> None:
    """Open the user interface as a browser and as a program that are not logged in."""
    site = look.site
    if site.environment.access is None or "access" not in {workload.name for workload in site.plan.workloads}:
        account.absent = "no login on this placement: the user interface is reached from its own machine, or by port-forward"
        return
    account.then = f"{site.logs('access')}; place the plan anew: {site.again}"
    parts = urlsplit(site.plan.stores[0].ui)
    way = Way(str(parts.hostname), parts.port or 443, str(parts.hostname))
    for path, what in (("/", "a browser"), ("/api/services", "a program")):
        try:
            answer = ask(way, path, trust=blind(), headers={"Accept": "text/html" if path == "/" else "application/json"})
        except FAILURES as error:
            account.unseen.append(f"{site.plan.stores[0].ui}: cannot be reached from here ({error})")
            return
        issuer = answer.headers.get("Location", "")
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN} or (answer.status // 100 == 3 and _leads_to_login(look, issuer)):  # noqa: PLR2004 - 3xx
            account.facts.append(f"{what} without a login is answered {answer.status}" + (" and sent to the issuer" if issuer else ""))
        else:
            account.faults.append(f"{site.plan.stores[0].ui}{path} answers {answer.status} to {what} that is not logged in")


def _leads_to_login(look: Look, location: str) -> bool:
    """Whether a redirect leads to the login: at the issuer of the document that runs, or at the proxy itself."""
    proxy = next(iter(look.site.plan.workload("access").documents)).text
    host = urlsplit(location).netloc
    return f"https://{host}" in proxy if host else location.startswith("/oauth2/")


def _entry(look: Look) -> Workload:
    plan = look.site.plan
    return plan.workload(next(edge.destination for edge in plan.edges if edge.source == "consumers" and edge.port.name == "otlp-http"))


def _asks(workload: Workload) -> bool:
    return any(file.key == TOKEN for file in workload.secret_files)


def _door(
    look: Look, place: str, way: Way, send: Callable[[Way, str | None, ssl.SSLContext | None], int], *, asks: bool, secured: bool
) -> _Door:
    outputs = look.site.outputs
    token = outputs.otlp_token.get_secret_value() if outputs.otlp_token is not None else None
    authority = str(outputs.otlp_certificate) if outputs.otlp_certificate is not None else None
    return _Door(place, secured, token, asks, authority, lambda shown, trust: send(way, shown, trust))


def _try(account: Account, door: _Door) -> bool:
    """Knock with all that is asked for, then with one thing less each time. Whether anything answers there in time."""
    trust = ssl.create_default_context(cadata=door.authority) if door.secured else None
    if door.asks and door.token is None:
        account.unseen.append(f"{door.place}: the token is not to be had here, so that nobody knows whether it would be taken")
    elif (status := _knocked(door, door.token, trust)) in {_REFUSED, _SILENT}:
        account.unseen.append(f"{door.place} cannot be reached with all that is asked for")
        if status == _SILENT:
            return False
    elif status != _OK:
        account.faults.append(f"{door.place} answers {status} to one who has all that is asked for")
        return True
    strangers: list[tuple[str, str | None, ssl.SSLContext | None]] = []
    if door.asks:
        strangers += [("without the token", None, trust), ("with a wrong token", _WRONG, trust)]
    if door.secured:
        strangers.append(("in plain text", door.token, None))
    for who, token, with_ in strangers:
        status = _knocked(door, token, with_)
        if status // 100 == 2:  # noqa: PLR2004 - 2xx
            account.faults.append(f"{door.place} takes one who comes {who}")
        else:
            # Without an answer it is a refusal where others are answered; where none is, that was said.
            account.facts.append(f"{door.place}: {who} refused ({status if status > 0 else 'no answer'})")
    if door.secured and door.authority is not None:
        _untrusted(account, door)
    return True


def _untrusted(account: Account, door: _Door) -> None:
    """Knock with no authority but the public ones, which must not know the certificate."""
    try:
        door.knock(door.token, ssl.create_default_context())
    except ssl.SSLCertVerificationError:
        account.facts.append(f"{door.place}: without the authority not trusted")
    except FAILURES as error:
        account.unseen.append(f"{door.place}: {error}")
    else:
        account.faults.append(f"{door.place} shows a certificate that is not of the authority in the outputs")


def _knocked(door: _Door, token: str | None, trust: ssl.SSLContext | None) -> int:
    """The status of the answer; ``_REFUSED`` where the connection was not taken or not trusted, ``_SILENT`` where nothing came in time."""
    try:
        return door.knock(token, trust)
    except TimeoutError:
        return _SILENT
    except FAILURES:
        return _REFUSED


def _post(way: Way, token: str | None, trust: ssl.SSLContext | None) -> int:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token is not None else {})
    return ask(way, "/v1/traces", trust=trust, method="POST", headers=headers, body=b"{}").status


def _strategy(way: Way, token: str | None, trust: ssl.SSLContext | None) -> int:
    return ask(way, "/api/sampling?service=verify", trust=trust, headers=basic(token)).status


def basic(token: str | None) -> dict[str, str]:
    """The header by which services show the token at the strategy server; none without a token."""
    if token is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{STRATEGIES_USER}:{token}".encode()).decode()}


def _try_grpc(look: Look, account: Account, place: str, way: Way, *, asks: bool, secured: bool) -> None:
    door = _door(look, place, way, lambda *_: 0, asks=asks, secured=secured)
    for who, token, taken in _callers(door):
        for with_tls in (True, False) if secured else (False,):
            expected = taken and with_tls == secured
            if (code := _exported(way, door, token, secured=with_tls)) == "OK" and not expected:
                account.faults.append(f"{place} takes one who comes {who}" + ("" if with_tls == secured else " in plain text"))
            elif code == _UNREACHED and expected:
                account.unseen.append(f"{place} cannot be reached with all that is asked for")
            elif code != "OK" and expected:
                account.faults.append(f"{place} answers {code} to one who has all that is asked for")
    account.facts.append(f"{place}: the same")


def _callers(door: _Door) -> Iterator[tuple[str, str | None, bool]]:
    """Callers, each with its token, and whether that token is right."""
    if not door.asks or door.token is not None:
        yield "with all that is asked for", door.token, True
    if door.asks:
        yield "without the token", None, False


def _exported(way: Way, door: _Door, token: str | None, *, secured: bool) -> str:
    """The status, by name, that gRPC's export of nothing is answered with."""
    import grpc

    target, options = f"{way.host}:{way.port}", [("grpc.ssl_target_name_override", way.name)]
    trusted = grpc.ssl_channel_credentials(door.authority.encode() if door.authority else None) if secured else None
    with grpc.secure_channel(target, trusted, options) if trusted else grpc.insecure_channel(target) as channel:
        export = channel.unary_unary(_EXPORT, request_serializer=bytes, response_deserializer=bytes)
        metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
        try:
            export(b"", metadata=metadata, timeout=_GRPC_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"
