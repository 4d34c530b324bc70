"""The login proxy: oauth2-proxy in front of the user interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import access, ports
from components.workload import Document, Gateway, Health, Identity, SecretVariable, Site, Workload
from stacks.plan.parts import AUTHORITY, files_of, go_memory_limit, metrics_of, resources, scheduling

if TYPE_CHECKING:
    from stacks.environment import sections
    from stacks.environment.cluster import GatewayReference
    from stacks.plan.parts import Inputs

USER = 65532
"""User id of the image."""


def login_proxy(inputs: Inputs, section: sections.Access, *, upstream: str) -> Workload:
    """The login proxy in front of the user interface at the URL ``upstream``."""
    bound, documents = inputs.bound, inputs.documents
    files = files_of(inputs.addresses, "issuer", (section.oidc_ca_secret, AUTHORITY))
    login = access.Login(
        section.oidc_issuer,
        section.client_id,
        section.scopes,
        section.groups_claim,
        section.operator_groups,
        section.trusted_proxies,
        files[0].path if files else None,
    )
    text = access.proxy(
        login, host=section.host, listen=bound.bind(ports.ACCESS), telemetry=bound.bind(ports.ACCESS_METRICS), upstream=upstream
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={documents}/oauth2-proxy.cfg",),
        documents=(Document("oauth2-proxy.cfg", text),),
        documents_path=documents,
        ports=bound.all,
        metrics=metrics_of(bound.all),
        volumes=(),
        health=Health(ports.ACCESS.name, "/ready"),
        resources=resources(section.resources),
        grace_seconds=30,
        identity=Identity(USER),
        spread="replicated",
        replicas=section.replicas,
        environment=go_memory_limit(section.resources.memory),
        secret_variables=(
            SecretVariable("OAUTH2_PROXY_CLIENT_SECRET", section.secret, "client-secret"),
            SecretVariable("OAUTH2_PROXY_COOKIE_SECRET", section.secret, "cookie-secret"),
        ),
        secret_files=files,
        site=Site(section.host, ports.ACCESS.name, section.tls_secret, section.ingress_class, _gateway(section.gateway)),
        scheduling=scheduling(inputs.environment, section.pods),
    )


def _gateway(section: GatewayReference | None) -> Gateway | None:
    return Gateway(section.name, section.namespace, section.listener) if section is not None else None
