"""The Kubernetes client on a real kube-apiserver."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client as k8s
from opentelemetry.trace import SpanKind, StatusCode

from tracing_lib.instrument.remote.kubernetes import ANNOTATION, AUDIT_ID, NAMESPACE, RESOURCE, TracedApiClient, carry_context
from tracing_lib.testing.kit import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sites.kubernetes import ApiServer
    from tracing_lib.testing.kit import RecordedTraces

PODS = "/api/v1/namespaces/{namespace}/pods"
CONTAINER = {"name": "work", "image": "registry.k8s.io/pause:3.10", "env": [{"name": "OF", "value": "jane"}]}


@pytest.fixture
def api(api_server: ApiServer, traces: RecordedTraces) -> Iterator[TracedApiClient]:
    configuration = k8s.Configuration(host=api_server.url)
    configuration.verify_ssl = False
    configuration.api_key = {"authorization": f"Bearer {api_server.token}"}
    with TracedApiClient(configuration, tracer_provider=traces.provider) as client:
        yield client


def _pod(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [copy.deepcopy(CONTAINER)]}}


pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


def test_a_pod_is_made_with_the_trace_of_the_request_in_it(api: TracedApiClient, traces: RecordedTraces) -> None:
    core: Any = k8s.CoreV1Api(api)
    with traces.provider.get_tracer("t").start_as_current_span("provision"):
        core.create_namespaced_pod("default", _pod("carried-1"))
    traces.assert_tree(f"""
        provision
          POST {PODS} (client)
    """)
    span = traces.span(f"POST {PODS}")
    assert span.context is not None
    carried = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    made = core.read_namespaced_pod("carried-1", "default")
    assert made.metadata.annotations[f"{ANNOTATION}traceparent"] == carried
    assert [(variable.name, variable.value) for variable in made.spec.containers[0].env] == [("OF", "jane"), ("TRACEPARENT", carried)]
    told = attributes_of(span)
    assert len(str(told.pop(AUDIT_ID))) == 36
    assert isinstance(told.pop("server.port"), int)
    assert told == {
        "http.request.method": "POST",
        "url.template": PODS,
        "server.address": "127.0.0.1",
        "http.response.status_code": 201,
        NAMESPACE: "default",
        RESOURCE: "pods",
    }
    assert span.kind is SpanKind.CLIENT


def test_spans_are_named_by_route_and_never_by_object(api: TracedApiClient, traces: RecordedTraces) -> None:
    core: Any = k8s.CoreV1Api(api)
    for name in ("one-1", "two-2"):
        core.create_namespaced_pod("default", _pod(name))
        core.delete_namespaced_pod(name, "default", grace_period_seconds=0)
    core.list_namespaced_pod("default", label_selector="customer=jane-doe")
    core.list_namespaced_pod("default", async_req=True).get()
    assert {span.name for span in traces.spans} == {f"POST {PODS}", f"DELETE {PODS}/{{name}}", f"GET {PODS}"}
    assert not any("jane" in str(span.attributes) for span in traces.spans)


def test_a_request_in_another_thread_belongs_to_who_asked_for_it(api: TracedApiClient, traces: RecordedTraces) -> None:
    with traces.provider.get_tracer("t").start_as_current_span("reconcile"):
        core: Any = k8s.CoreV1Api(api)
        waiting = core.list_namespaced_pod("default", async_req=True)
    waiting.get()
    traces.assert_tree(f"""
        reconcile
          GET {PODS} (client)
    """)


def test_a_refusal_is_the_error_of_its_span(api: TracedApiClient, traces: RecordedTraces) -> None:
    with pytest.raises(k8s.ApiException):
        k8s.CoreV1Api(api).read_namespaced_pod("not-there-1", "default")
    span = traces.span(f"GET {PODS}/{{name}}")
    assert span.status.status_code is StatusCode.ERROR
    assert (attributes_of(span)["error.type"], attributes_of(span)["http.response.status_code"]) == ("404", 404)
    assert "not-there" not in str(attributes_of(span))


def test_a_server_that_is_away_is_the_error_of_the_span(traces: RecordedTraces) -> None:
    import urllib3

    configuration = k8s.Configuration(host="http://127.0.0.1:9")
    configuration.retries = False
    with TracedApiClient(configuration, tracer_provider=traces.provider) as client, pytest.raises(urllib3.exceptions.HTTPError):
        k8s.CoreV1Api(client).list_namespaced_pod("default")
    span = traces.span(f"GET {PODS}")
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_a_job_hands_the_trace_to_its_pods(api: TracedApiClient, traces: RecordedTraces) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [copy.deepcopy(CONTAINER)]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job-1"}, "spec": {"template": template}}
    batch: Any = k8s.BatchV1Api(api)
    batch.create_namespaced_job("default", job)
    made = batch.read_namespaced_job("job-1", "default").spec.template
    span = traces.span("POST /apis/batch/v1/namespaces/{namespace}/jobs")
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" in made.metadata.annotations[f"{ANNOTATION}traceparent"]
    assert [variable.name for variable in made.spec.containers[0].env] == ["OF", "TRACEPARENT"]
    assert "metadata" not in template, "the caller's manifest is not changed"


def test_a_manifest_made_of_models_carries_the_trace_without_naming_its_kind(api: TracedApiClient) -> None:
    core: Any = k8s.CoreV1Api(api)
    containers = [k8s.V1Container(name="work", image="registry.k8s.io/pause:3.10")]
    core.create_namespaced_pod("default", k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="m-1"), spec=k8s.V1PodSpec(containers=containers)))
    made = core.read_namespaced_pod("m-1", "default")
    assert [variable.name for variable in made.spec.containers[0].env] == ["TRACEPARENT"]


def test_a_custom_resource_is_named_by_its_route_too(api: TracedApiClient, traces: RecordedTraces) -> None:
    with pytest.raises(k8s.ApiException):
        k8s.CustomObjectsApi(api).list_namespaced_custom_object("virtengine.io", "v1", "default", "leases")
    span = traces.spans[0]
    assert span.name == "GET /apis/{group}/{version}/namespaces/{namespace}/{plural}"
    assert attributes_of(span)[RESOURCE] == "leases"


def test_what_makes_no_pods_and_what_is_outside_of_a_trace_is_left_alone(traces: RecordedTraces) -> None:
    assert carry_context(_pod("a")) == _pod("a")
    with traces.provider.get_tracer("t").start_as_current_span("provision"):
        for manifest in ({"kind": "ConfigMap", "data": {}}, {"kind": "Job", "spec": {}}, None, "text"):
            assert carry_context(manifest) == manifest
        own = _pod("a")
        own["metadata"]["annotations"] = {f"{ANNOTATION}traceparent": "theirs"}
        own["spec"]["containers"][0]["env"] = [{"name": "TRACEPARENT", "value": "theirs"}]
        assert carry_context(own) == own
