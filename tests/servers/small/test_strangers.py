"""A stranger gets nothing: at the intake without token or authority, at the user interface without the group."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from stacks.placement.outputs import Outputs
from stacks.trial.traces import Template, new_trace
from tests.servers.small.web import Client

if TYPE_CHECKING:
    from tests.servers.small.conftest import Cluster

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def request_bytes() -> bytes:
    return Template("stranger", range(3), spans=3).encode([new_trace(1)])


def post(client: Client, url: str, token: str | None) -> int:
    headers = {"Content-Type": "application/x-protobuf"} | ({"Authorization": f"Bearer {token}"} if token is not None else {})
    return client.send("POST", f"{url}/v1/traces", headers, request_bytes()).status


@pytest.fixture
def outputs(production: Cluster) -> Outputs:
    """What a service is told."""
    return Outputs.read(production.folder / "outputs.json")


def token_of(outputs: Outputs) -> str:
    assert outputs.otlp_token is not None
    return outputs.otlp_token.get_secret_value()


def http_endpoints(production: Cluster) -> list[str]:
    return [f"https://{agent.address}:{agent.ports['otlp-http']}" for agent in production.instances("agent")]


def test_a_service_with_token_and_authority_is_taken_by_the_agent_of_every_node(production: Cluster, outputs: Outputs) -> None:
    assert outputs.otlp_certificate is not None
    for url in http_endpoints(production):
        assert post(Client(str(outputs.otlp_certificate)), url, token_of(outputs)) == 200


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_http_without_the_token_is_refused(production: Cluster, token: str | None) -> None:
    for url in http_endpoints(production):
        assert post(production.client(), url, token) == 401


def test_http_without_the_authority_does_not_trust_the_intake(production: Cluster, outputs: Outputs) -> None:
    for url in http_endpoints(production):
        with pytest.raises(ssl.SSLCertVerificationError):
            post(Client(None), url, token_of(outputs))


def test_http_in_plain_text_is_refused(production: Cluster, outputs: Outputs) -> None:
    for url in http_endpoints(production):
        # Go answers 400, and closes before it has read the body, which a client may see first.
        try:
            assert post(Client(None), url.replace("https", "http"), token_of(outputs)) == 400
        except ConnectionError:
            continue


def exported(outputs: Outputs, *, token: str | None, authority: str | None, secure: bool = True) -> grpc.StatusCode:
    target = str(outputs.otlp_grpc_endpoint).partition("://")[2]
    credentials = grpc.ssl_channel_credentials(authority.encode() if authority else None)
    with grpc.secure_channel(target, credentials) if secure else grpc.insecure_channel(target) as channel:
        export = channel.unary_unary(
            EXPORT,
            request_serializer=ExportTraceServiceRequest.SerializeToString,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
        try:
            export(ExportTraceServiceRequest.FromString(request_bytes()), metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def test_grpc_takes_token_and_authority_and_nothing_less(outputs: Outputs) -> None:
    token, authority = token_of(outputs), str(outputs.otlp_certificate)
    assert exported(outputs, token=token, authority=authority) is grpc.StatusCode.OK
    assert exported(outputs, token=None, authority=authority) is grpc.StatusCode.UNAUTHENTICATED
    assert exported(outputs, token="wrong", authority=authority) is grpc.StatusCode.UNAUTHENTICATED
    assert exported(outputs, token=token, authority=None) is grpc.StatusCode.UNAVAILABLE
    assert exported(outputs, token=token, authority=None, secure=False) is grpc.StatusCode.UNAVAILABLE


def test_an_operator_logs_in_sees_traces_and_logs_out(production: Cluster, outputs: Outputs) -> None:
    client, ui = production.client(), str(outputs.ui_url).rstrip("/")
    assert client.log_in(ui, "operator").status == 200
    services = client.get(f"{ui}/api/services")
    assert services.status == 200
    assert "data" in json.loads(services.text)
    client.get(f"{ui}/oauth2/sign_out")
    assert client.get(f"{ui}/api/services").status == 401


def test_a_user_outside_of_the_group_is_told_so_and_sees_nothing(production: Cluster, outputs: Outputs) -> None:
    client, ui = production.client(), str(outputs.ui_url).rstrip("/")
    assert client.log_in(ui, "stranger").status == 403
    assert client.get(f"{ui}/api/services").status == 401
    assert client.get(f"{ui}/", {"Accept": "text/html"}).status == 302


def test_who_has_not_logged_in_is_sent_to_the_issuer_and_a_program_is_answered_401(production: Cluster, outputs: Outputs) -> None:
    client, ui = production.client(), str(outputs.ui_url).rstrip("/")
    issuer = next(iter(production.instances("issuer")))
    assert client.get(ui, {"Accept": "text/html"}).location.startswith(f"https://{issuer.address}:{issuer.ports['issuer']}/oidc/authorize")
    assert client.get(f"{ui}/api/traces?service=portal").status == 401
    forged = {"X-Forwarded-User": "operator", "X-Forwarded-Groups": "tracing-operators", "X-Forwarded-Email": "operator@example.org"}
    assert client.get(f"{ui}/api/services", forged).status == 401


def test_the_user_interface_has_a_certificate_of_the_authority_alone(outputs: Outputs) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(None).get(str(outputs.ui_url))
