"""A cluster, asked directly: whether its context is known and it answers, what is in it, and a way to a Service from outside."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ANSWER_SECONDS = 10.0
_NOT_FOUND = 404
_CHUNK = 65536


class ClusterError(Exception):
    """The cluster cannot be used. The text says what to do next; ``status`` is that of its answer, if it gave one."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


def client(context: str) -> Any:  # noqa: ANN401 - the client is not typed
    """An API client for a context of the kubeconfig, whichever is current there, if any. Raises ``ClusterError`` where it has none such."""
    from kubernetes import config as untyped

    config: Any = untyped
    place = os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        merged = config.kube_config.KubeConfigMerger(place).config
        known = [] if merged is None else [found["name"] for found in merged.value.get("contexts") or []]
        if context in known:
            return config.new_client_from_config(config_file=place, context=context)
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ClusterError(f"kubeconfig: {error}\nthen: name your kubeconfig: export KUBECONFIG=…") from None
    if merged is None:
        raise ClusterError(f"kubeconfig: there is no file at {place}\nthen: name your kubeconfig: export KUBECONFIG=…")
    raise ClusterError(
        f"environment.target.context: {context} is not in the kubeconfig, which has {', '.join(known) or 'none'}\n"
        f"then: name one of those, or add it: kubectl config set-context {context} …"
    )


def ask(context: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The answer of the API server to a request, or None for 404. Raises ``ClusterError`` for every other refusal, and for none."""
    from kubernetes.client import ApiException

    try:
        return _request(_asked(context), method, path, body)
    except ApiException as error:
        if error.status == _NOT_FOUND:
            return None
        raise ClusterError(
            f"{context}: the cluster answers {error.status} {error.reason} to {method} {path}\n"
            f"then: kubectl --context {context} auth whoami",
            error.status,
        ) from None
    except Exception as error:  # noqa: BLE001 - urllib3 and ssl have a dozen
        raise _silent(context, error) from None


def last_words(context: str, namespace: str, pod: str, *, lines: int = 3) -> list[str]:
    """The last lines of the log of a pod's container that ended; empty when there is none to be had."""
    from kubernetes.client import CoreV1Api

    core: Any = CoreV1Api(_asked(context))
    try:
        said: str | None = core.read_namespaced_pod_log(pod, namespace, previous=True, tail_lines=lines, _request_timeout=ANSWER_SECONDS)
    except Exception:  # noqa: BLE001 - urllib3 and ssl have a dozen, and the log is an addition to what is known
        return []
    return (said or "").splitlines()


def labels_of(context: str, mapping: Mapping[str, Any]) -> dict[str, str] | None:
    """The labels that an object has in the cluster, or None when it is not there. ``mapping`` needs its kind, version and name only.

    Raises ``ClusterError``.
    """
    found = object_of(context, mapping)
    return None if found is None else found["metadata"].get("labels") or {}


def object_of(context: str, mapping: Mapping[str, Any]) -> dict[str, Any] | None:
    """An object as the cluster has it, or None when it is not there. ``mapping`` needs its kind, version and name only.

    Raises ``ClusterError``.
    """
    return _object(context, "GET", mapping)


def remove(context: str, mapping: Mapping[str, Any]) -> None:
    """Delete an object; one that is not there is as good. Raises ``ClusterError``."""
    _object(context, "DELETE", mapping)


def _object(context: str, method: str, mapping: Mapping[str, Any]) -> dict[str, Any] | None:
    version, head = mapping["apiVersion"], mapping["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"/namespaces/{head['namespace']}" if "namespace" in head else ""
    return ask(context, method, f"{root}{within}/{_plurals(context, root)[mapping['kind']]}/{head['name']}")


@cache
def _asked(context: str) -> Any:  # noqa: ANN401 - the client is not typed
    return client(context)


@cache
def _plurals(context: str, root: str) -> dict[str, str]:
    """Return the names that the API has in its paths for the kinds of a version."""
    found = ask(context, "GET", root) or {"resources": []}
    return {kind["kind"]: kind["name"] for kind in found["resources"] if "/" not in kind["name"]}


def _request(api: Any, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ANN401 - the client is not typed
    head = {"Accept": "application/json", "Content-Type": "application/json"}
    request = api.param_serialize(method, path, header_params=head, body=body, auth_settings=["BearerToken"])
    said = api.call_api(*request, _request_timeout=ANSWER_SECONDS)
    said.read()
    parsed: dict[str, Any] = api.response_deserialize(said, {"2XX": "object"}).data
    return parsed


def _silent(context: str, error: Exception) -> ClusterError:
    reason = str(error).split("(Caused by ")[-1].rstrip(")")
    return ClusterError(f"{context}: the cluster does not answer: {reason}\nthen: kubectl --context {context} cluster-info")


@contextmanager
def forwarded(context: str, namespace: str, service: str, port: int) -> Iterator[int]:
    """A port on loopback that leads to a pod behind a Service for as long as the context lasts, past NetworkPolicies as kubectl's does.

    Raises ``ClusterError`` when no pod is ready.
    """
    pod, number = _ready_pod(context, namespace, service, port)
    with forwarded_pod(context, namespace, pod, number) as found:
        yield found


@contextmanager
def forwarded_pod(context: str, namespace: str, pod: str, number: int) -> Iterator[int]:
    """A port on loopback that leads to a port of a pod, as ``forwarded`` does for one behind a Service."""
    api = client(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, api, namespace, pod, number), daemon=True).start()
        yield listener.getsockname()[1]


def _ready_pod(context: str, namespace: str, service: str, port: int) -> tuple[str, int]:
    from kubernetes.client import ApiException, CoreV1Api, DiscoveryV1Api

    api = _asked(context)
    core: Any = CoreV1Api(api)
    discovery: Any = DiscoveryV1Api(api)
    try:
        wanted = core.read_namespaced_service(service, namespace).spec.ports
        slices = discovery.list_namespaced_endpoint_slice(namespace, label_selector=f"kubernetes.io/service-name={service}")
    except ApiException as error:
        raise ClusterError(
            f"{service} in {namespace}: the cluster answers {error.status} {error.reason}\n"
            f"then: kubectl --context {context} --namespace {namespace} get service {service}",
            error.status,
        ) from None
    name = next((found.name for found in wanted if found.port == port), None)
    for endpoints in slices.items:
        numbers = [found.port for found in endpoints.ports or [] if found.name == name]
        for endpoint in endpoints.endpoints or []:
            if endpoint.conditions.ready and endpoint.target_ref is not None and numbers:
                return endpoint.target_ref.name, numbers[0]
    raise ClusterError(
        f"{service} in {namespace}: no pod is ready\n"
        f"then: kubectl --context {context} --namespace {namespace} get pods, and describe what is not running"
    )


def _serve(listener: socket.socket, api: Any, namespace: str, pod: str, port: int) -> None:  # noqa: ANN401 - the client is not typed
    from kubernetes.client import CoreV1Api
    from kubernetes.stream import portforward

    while True:
        try:
            near, _ = listener.accept()
        except OSError:  # closed: nobody needs the way any more
            return
        # The client changes its own transport for a stream; one for each connection keeps others as they are.
        try:
            far = portforward(CoreV1Api(api).connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port)).socket(port)
        except Exception:  # noqa: BLE001 - whatever refuses the way, who wants to go it finds it closed
            near.close()
            continue
        far.setblocking(True)  # noqa: FBT003 - the socket's own signature
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: Any, sink: Any) -> None:  # noqa: ANN401 - one of them is the client's own kind of socket
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.close()
