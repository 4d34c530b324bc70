"""A service of another Pulumi program, which takes all it needs to know of tracing from the outputs of the backbone's stack.

Configuration: ``backbone`` is the backbone's stack (``organization/virtengine-tracing/prod``), ``image`` that of the service,
``namespace`` one of those that the backbone lets send; without it the service runs on the Docker host ``host``, beside the backbone.
"""

from __future__ import annotations

from typing import Any

import pulumi

NAME = "quotes"
CERTIFICATE = "otlp-ca.crt"
FOLDER = "/etc/virtengine-tracing"
"""Where ``OTEL_EXPORTER_OTLP_CERTIFICATE`` of the outputs says that the certificate is."""


def on_kubernetes(
    namespace: str, context: str, image: str, variables: pulumi.Output[dict[str, str]], certificate: pulumi.Output[str | None]
) -> None:
    """A Deployment that passes the `restricted` profile; the variables may hold the token, so they are a Secret."""
    from pulumi_kubernetes import Provider
    from pulumi_kubernetes.apps.v1 import Deployment
    from pulumi_kubernetes.core.v1 import ConfigMap, Secret

    options = pulumi.ResourceOptions(provider=Provider("kubernetes", context=context))
    metadata: Any = {"name": NAME, "namespace": namespace}
    Secret("variables", metadata=metadata, string_data=variables, opts=options)
    ConfigMap("certificate", metadata=metadata, data=certificate.apply(lambda text: {CERTIFICATE: text or ""}), opts=options)
    container = {
        "name": NAME,
        "image": image,
        "image_pull_policy": "IfNotPresent",
        "args": ["-listen=127.0.0.1:8080", "-self=5s"],
        "env": [{"name": "OTEL_SERVICE_NAME", "value": NAME}],
        "env_from": [{"secret_ref": {"name": NAME}}],
        "volume_mounts": [{"name": "certificate", "mount_path": FOLDER, "read_only": True}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "security_context": {
            "allow_privilege_escalation": False,
            "capabilities": {"drop": ["ALL"]},
            "read_only_root_filesystem": True,
            "run_as_non_root": True,
            "run_as_user": 10001,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
    }
    labels = {"app.kubernetes.io/name": NAME}
    pod = {
        "automount_service_account_token": False,
        "containers": [container],
        "volumes": [{"name": "certificate", "config_map": {"name": NAME}}],
    }
    # The SDK's types know these keys deep inside only by its own classes.
    spec: Any = {"selector": {"match_labels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    Deployment(NAME, metadata=metadata, spec=spec, opts=options)


def on_docker(host: str, image: str, variables: pulumi.Output[dict[str, str]]) -> None:
    """A container on the host's own network, since the backbone publishes its intake on the host's loopback alone."""
    import pulumi_docker as docker

    options = pulumi.ResourceOptions(provider=docker.Provider("docker", host=host))
    local = docker.RemoteImage(NAME, name=image, keep_locally=True, opts=options)
    docker.Container(
        NAME,
        name=NAME,
        image=local.image_id,
        command=["-listen=127.0.0.1:8080", "-self=5s"],
        envs=variables.apply(lambda told: [f"OTEL_SERVICE_NAME={NAME}", *(f"{name}={value}" for name, value in sorted(told.items()))]),
        network_mode="host",
        read_only=True,
        user="10001:10001",
        capabilities={"drops": ["ALL"]},
        security_opts=["no-new-privileges:true"],
        opts=options,
    )


def main() -> None:
    """Deploy the service where the configuration says."""
    config = pulumi.Config()
    backbone = pulumi.StackReference(config.require("backbone"))
    variables, image = backbone.require_output("otel"), config.require("image")
    if namespace := config.get("namespace"):
        on_kubernetes(namespace, config.require("context"), image, variables, backbone.get_output("otlp_certificate"))
    else:
        on_docker(config.get("host") or "unix:///var/run/docker.sock", image, variables)


main()
