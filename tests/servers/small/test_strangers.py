"""A stranger gets nothing: at the intake and the strategies without token or authority, at the user interface without the group."""

from __future__ import annotations

import base64
import json
import ssl
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from pydantic import SecretStr

from stacks.placement.outputs import Outputs
from stacks.trial.traces import Template, new_trace
from tests.servers.small.web import Client
from tests.waiting import until
from tracing_lib import TracingSettings, configure

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


def strategy_endpoints(production: Cluster, outputs: Outputs) -> list[str]:
    """The address that services are told, and that of each server behind it."""
    return [str(outputs.strategies_url)] + [
        f"https://{one.address}:{one.ports['strategies']}/api/sampling" for one in production.instances("sampling")
    ]


def basic(user: str, token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


def test_a_service_is_told_its_strategies_by_token_and_authority(production: Cluster, outputs: Outputs) -> None:
    headers = basic(str(outputs.strategies_user), token_of(outputs))
    for url in strategy_endpoints(production, outputs):
        answer = production.client().get(f"{url}?service=portal", headers)
        assert answer.status == 200
        assert json.loads(answer.text)["operationSampling"]["perOperationStrategies"]


def test_strategies_are_not_told_without_the_token(production: Cluster, outputs: Outputs) -> None:
    user, token = str(outputs.strategies_user), token_of(outputs)
    wrong = [{}, basic(user, ""), basic(user, "wrong"), basic("", token), basic("other", token), {"Authorization": f"Bearer {token}"}]
    for url in strategy_endpoints(production, outputs):
        answers = [production.client().get(f"{url}?service=portal", headers) for headers in wrong]
        assert [answer.status for answer in answers] == [401] * len(wrong)
        assert not [answer.text for answer in answers if "sampl" in answer.text.lower()]


def test_strategies_are_not_told_without_the_authority_or_in_plain_text(production: Cluster, outputs: Outputs) -> None:
    headers = basic(str(outputs.strategies_user), token_of(outputs))
    for url in strategy_endpoints(production, outputs):
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(None).get(url, headers)
        assert Client(None).get(url.replace("https", "http"), headers).status == 400


def test_strategies_by_grpc_take_token_and_authority_and_nothing_less(production: Cluster, outputs: Outputs) -> None:
    user, token, authority = str(outputs.strategies_user), token_of(outputs), str(outputs.otlp_certificate)
    for one in production.instances("sampling"):
        target = f"{one.address}:{one.ports['strategies-grpc']}"
        codes = [
            asked(target, headers, authority)
            for headers in (basic(user, token), {}, basic(user, "wrong"), {"Authorization": f"Bearer {token}"})
        ]
        assert codes == [grpc.StatusCode.OK, *[grpc.StatusCode.UNAUTHENTICATED] * 3]
        assert asked(target, basic(user, token), None) is grpc.StatusCode.UNAVAILABLE


def asked(target: str, headers: dict[str, str], authority: str | None) -> grpc.StatusCode:
    """The status that the gRPC server of strategies answers to a question for those of the portal."""
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(authority.encode() if authority else None)) as channel:
        ask = channel.unary_unary("/jaeger.api_v2.SamplingManager/GetSamplingStrategy", lambda name: b"\x0a\x06" + name, bytes)
        try:
            ask(b"portal", metadata=tuple((name.lower(), value) for name, value in headers.items()), timeout=30)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("wrong", [{"token": SecretStr("wrong")}, {"token": None}, {"certificate": None}])
def test_the_library_follows_strategies_by_its_token_and_no_other(outputs: Outputs, wrong: dict[str, object]) -> None:
    right = TracingSettings.from_outputs(outputs, service_name="portal").model_copy(update={"head_ratio": 0.5, "targets": ()})
    with (
        configure(right, set_global=False) as tracing,
        configure(right.model_copy(update=wrong), set_global=False) as stranger,
    ):
        until(lambda: tracing.provider.sampler.root.operation("GET /healthz").ratio == pytest.approx(0.001, rel=0.01))  # type: ignore[attr-defined]
        assert stranger.provider.sampler.root.operation("GET /healthz").ratio == 0.5  # type: ignore[attr-defined]


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
