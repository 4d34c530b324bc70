"""A Kubernetes client whose requests are spans, and which hands the trace on to the Pods that it makes.

Needs the extra ``virtengine-tracing[kubernetes]``.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kubernetes.client import ApiClient
from opentelemetry import context as contexts

from tracing_lib.base import conventions
from tracing_lib.instrument.http_spans import CLIENT_ERRORS, set_status
from tracing_lib.instrument.remote.calls import carried, client_span
from tracing_lib.instrument.source import TracerSource
from tracing_lib.propagation.baggage import inject
from tracing_lib.propagation.current import attached

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import Configuration
    from kubernetes.client.rest import RESTResponse
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AttributeValue

ANNOTATION: Final = "tracing.virtengine.io/"
"""Before ``traceparent`` and ``tracestate`` in the annotations of a Pod."""
AUDIT_ID: Final = "virtengine.kubernetes.audit_id"
RESOURCE: Final = "virtengine.kubernetes.resource"
UID: Final = "virtengine.kubernetes.uid"
NAMESPACE: Final = "k8s.namespace.name"

_TEMPLATES: Final = {
    "Pod": (),
    "PodTemplate": ("template",),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Kinds that become Pods, and where in them the Pod's own part stands."""
_KINDS: Final = {kind.lower() + "s": kind for kind in _TEMPLATES}
"""Kinds by their resource: a model of the generated client does not say its kind."""
_RESOURCE: Final = re.compile(r"/(?:api/v1|apis/\{?[^/]+\}?/\{?[^/]+\}?)(?:/namespaces/\{namespace\})?/([a-z]+)(?:/|$)")


class _Address(str):
    """The address of a request, with what was known of it before its parameters were filled in.

    The generated client passes it from ``param_serialize`` to ``call_api``, perhaps in another thread (``async_req``).
    """

    __slots__ = ("context", "parameters", "template")
    template: str
    parameters: Mapping[str, str]
    context: Context

    @property
    def resource(self) -> str:
        """The resource that the request is to, such as ``pods``; empty for others, such as ``/version``."""
        found = _RESOURCE.match(self.template)
        return self.parameters.get("plural") or (found[1] if found else "")


class TracedApiClient(ApiClient):
    """``kubernetes.client.ApiClient`` with a client span for each request, named by its route: ``POST /api/v1/…/{namespace}/pods``.

    The trace travels in the request's headers (the API server continues it), and with ``carry`` (default) in annotations and
    environment of the Pods that a created object makes. Spans go to ``tracer_provider``, by default the global one.
    """

    def __init__(
        self, configuration: Configuration | None = None, *, carry: bool = True, tracer_provider: TracerProvider | None = None
    ) -> None:
        super().__init__(configuration)
        self._carry = carry
        self._source = TracerSource("tracing_lib.instrument.remote.kubernetes", tracer_provider)

    def param_serialize(self, method: str, resource_path: str, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  generated code
        """Fill in a request, as the generated client does; its route is kept."""
        serialized = super().param_serialize(method, resource_path, *arguments, **keywords)
        parameters = keywords.get("path_params", arguments[0] if arguments else None)
        address = _Address(serialized[1])
        address.template = resource_path
        address.parameters = {str(key): str(value) for key, value in (parameters or {}).items()}
        address.context = contexts.get_current()
        return (serialized[0], address, *serialized[2:])

    def call_api(
        self,
        method: str,
        url: str,
        header_params: dict[str, str] | None = None,
        body: Any = None,  # noqa: ANN401  as above
        post_params: Any = None,  # noqa: ANN401  as above
        _request_timeout: Any = None,  # noqa: ANN401  as above
    ) -> RESTResponse:
        """Send a request in a span. Raises what ``ApiClient.call_api`` raises."""
        if not isinstance(url, _Address):
            return super().call_api(method, url, header_params, body, post_params, _request_timeout)
        with attached(url.context), client_span(self._source, f"{method} {url.template}", _described(method, url)) as span:
            headers = dict(header_params or {})
            inject(headers, to=url)
            if self._carry and method == "POST":
                body = carry_context(body, kind=_KINDS.get(url.resource))
            response = super().call_api(method, url, headers, body, post_params, _request_timeout)
            _answered(span, response)
            return response


def _described(method: str, url: _Address) -> dict[str, AttributeValue]:
    parts = urlsplit(url)
    described: dict[str, AttributeValue] = {
        conventions.HTTP_REQUEST_METHOD: method,
        conventions.URL_TEMPLATE: url.template,
        conventions.SERVER_ADDRESS: parts.hostname or "",
        conventions.SERVER_PORT: parts.port or (443 if parts.scheme == "https" else 80),
    }
    if namespace := url.parameters.get("namespace"):
        described[NAMESPACE] = namespace
    if url.resource:
        described[RESOURCE] = url.resource
    return described


def _answered(span: Span, response: RESTResponse) -> None:
    set_status(span, response.status, CLIENT_ERRORS)
    # The name under which the API server's audit log has the request.
    if audit := response.getheader("Audit-Id"):  # type: ignore[no-untyped-call]  # generated code
        span.set_attribute(AUDIT_ID, audit)


def carry_context(manifest: object, *, kind: str | None = None) -> Any:  # noqa: ANN401  a manifest is whatever the caller's is
    """Return a manifest whose Pods carry the current trace: annotations on the Pod, ``TRACEPARENT`` in every container.

    Manifests are plain mappings, as in YAML; the given one is not changed. ``kind`` is that of one that does not say it. Variables
    that are there already stay. What is no manifest of a kind that becomes Pods is returned as it is, as is everything outside of a
    trace.
    """
    context = carried()
    if not context or not isinstance(manifest, dict):
        return manifest
    path = _TEMPLATES.get(manifest.get("kind") or kind or "")
    if path is None:
        return manifest
    changed: dict[str, Any] = copy.deepcopy(manifest)
    pod: object = changed
    for step in path:
        pod = pod.get(step) if isinstance(pod, dict) else None
    if not isinstance(pod, dict) or not isinstance(pod.get("spec"), dict):
        return manifest
    metadata = pod["metadata"] = pod.get("metadata") or {}
    annotations = metadata["annotations"] = metadata.get("annotations") or {}
    for name, value in context.items():
        annotations.setdefault(ANNOTATION + name, value)
    for listed in ("initContainers", "containers"):
        for container in pod["spec"].get(listed) or ():
            variables = container["env"] = container.get("env") or []
            there = {variable.get("name") for variable in variables}
            variables += [{"name": name.upper(), "value": value} for name, value in context.items() if name.upper() not in there]
    return changed
