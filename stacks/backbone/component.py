"""``TracingBackbone``, the component. Annotations are evaluated here: the host of the package derives its schema from them."""

from typing import Any, NotRequired, TypedDict

import pulumi

from stacks.backbone.accepted import Accepted, accepted
from stacks.backbone.arguments import Environment
from stacks.backbone.origin import Origin, arguments
from stacks.placement.outputs import OTLP_HEADERS, Outputs, exported, otlp_headers, settings_text
from stacks.placement.under import Under

TYPE = "virtengine:tracing:TracingBackbone"


class TracingBackboneArgs(TypedDict):
    """Arguments of a tracing backbone. All but the values of secrets are plain, because what is placed follows from them."""

    environment: Environment
    """Settings, with the names and values of a stack file. Required."""
    environment_name: NotRequired[str]
    """Name of the environment, `deployment.environment.name` of every span. Default: the name of the stack."""
    secrets: NotRequired[dict[str, pulumi.Input[str]]]
    """Values of the secrets that the environment names, by `<secret>.<entry>`, for example `tracing-access.client-secret`. Default: none,
    which suffices where nothing asks for a login or a token."""
    certificate: NotRequired[str]
    """PEM of the authority behind the certificate of the intake, for services to check it. Default: none, plain text or a public one."""


class TracingBackbone(pulumi.ComponentResource):
    """A tracing backbone: collectors, sampling, trace storage and user interface, on the cluster or Docker host that its environment names.

    Its outputs are the contract with services. Everything is checked before any resource is registered. A `kubernetes` or `docker`
    provider among its options is used in place of one for the context, or the daemon, that the environment names.
    """

    backend: pulumi.Output[str]
    """Store behind `query_url`: `jaeger` or `tempo`, or `otlp` for one that is there already."""
    query_url: pulumi.Output[str]
    """Base URL of the API that traces are read from."""
    query_protocol: pulumi.Output[str] | None
    """Query API at `query_url`: `jaeger`, `tempo` or `none`. None: that of the backend."""
    ui_url: pulumi.Output[str]
    """URL of the user interface."""
    retention_seconds: pulumi.Output[int]
    """Time for which a trace can be read after it was stored, in seconds."""
    schema_version: pulumi.Output[int]
    """Version of this contract."""
    environment: pulumi.Output[str]
    """Name of the environment; becomes `deployment.environment.name` of every span."""
    namespace: pulumi.Output[str]
    """Kubernetes namespace of the backbone; a label without effect elsewhere."""
    otlp_grpc_endpoint: pulumi.Output[str]
    """URL of OTLP over gRPC, as scheme://host:port; https means TLS."""
    otlp_http_endpoint: pulumi.Output[str]
    """Base URL of OTLP over HTTP; `/v1/traces` is appended."""
    strategies_url: pulumi.Output[str]
    """URL of the sampling strategies (Jaeger remote sampling over HTTP)."""
    strategies_user: pulumi.Output[str] | None
    """User name for `strategies_url` by HTTP basic authentication, with `otlp_token` as password. None: none is asked for."""
    also: pulumi.Output[dict[str, Any]] | None
    """A second store, asked for what the first does not have: its `backend`, `query_url`, `query_protocol`, `ui_url` and
    `retention_seconds`. None: there is one store."""
    span_metrics_url: pulumi.Output[str]
    """URL of the metrics made of spans (Prometheus text)."""
    otlp_certificate: pulumi.Output[str] | None
    """CA certificates that the endpoints' own are checked against, PEM. None: plain text, or a public CA."""
    otlp_token: pulumi.Output[str] | None
    """Bearer token that the endpoints ask for, a secret. None: they ask for none."""
    head_ratio: pulumi.Output[float]
    """Share of new traces that services sample, 0 to 1."""
    strategies_poll_seconds: pulumi.Output[float]
    """Interval at which services poll `strategies_url`, in seconds."""
    targets: pulumi.Output[list[dict[str, Any]]]
    """Rates by service and operation."""
    privacy: pulumi.Output[list[dict[str, str]]]
    """Rules for what may not be stored."""
    otel: pulumi.Output[dict[str, str]]
    """`OTEL_*` variables that configure any OpenTelemetry SDK. With a token they are secret."""
    settings: pulumi.Output[str]
    """Settings of the environment with every default, as JSON."""
    plan: pulumi.Output[str]
    """Plan that was placed, as JSON."""

    def __init__(
        self, name: str, args: TracingBackboneArgs, opts: pulumi.ResourceOptions | None = None, *, origin: Origin | None = None
    ) -> None:
        """Place a backbone.

        ``origin`` says where the arguments come from; default: from the program. Raises ``pulumi.RunError``, before anything is
        registered, with every problem of the arguments and the next step.
        """
        origin = origin or arguments(name)
        try:
            wanted = accepted(args, args.get("environment_name") or pulumi.get_stack(), origin)
        except pulumi.RunError as error:
            # The host of the package prints the frames of an error that it passes on; here there is but one.
            raise pulumi.RunError(str(error)) from None
        # The settings as an input show in previews, and policies of a stack read them.
        super().__init__(TYPE, name, {"settings": settings_text(wanted.named.environment)}, _descendants_wait(opts))
        told = _told(wanted, _place(wanted, Under(self, origin.prefix, origin.moved)))
        self.told = told
        """The outputs by name, those that are none left out."""
        for output in TracingBackbone.__annotations__:
            setattr(self, output, pulumi.Output.from_input(told[output]) if output in told else None)
        self.register_outputs(told)


def _descendants_wait(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions | None:
    """Options by which everything below a component waits for what the component depends on."""
    if opts is None or opts.depends_on is None:
        return opts
    waiting = pulumi.ResourceOptions(depends_on=opts.depends_on)

    def wait(child: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        return pulumi.ResourceTransformationResult(child.props, pulumi.ResourceOptions.merge(child.opts, waiting))

    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transformations=[wait]))


def _place(wanted: Accepted, under: Under) -> Outputs:
    environment = wanted.named.environment
    if environment.target.kind == "docker":
        from stacks.placement import docker

        return docker.deploy(wanted.plan, environment.target, wanted.secrets, under)
    from stacks.placement import kubernetes

    return kubernetes.deploy(wanted.plan, environment, wanted.secrets, under, wanted.certificate)


def _told(wanted: Accepted, contract: Outputs) -> dict[str, Any]:
    """The outputs by name; the token, and what carries it, are secrets."""
    told = exported(contract, wanted.plan, wanted.named.environment)
    token = wanted.secrets.get((str(wanted.named.environment.ingest.token_secret), "token"))
    if token is not None:
        told["otlp_token"] = token
        told["otel"] |= {OTLP_HEADERS: token.apply(lambda value: otlp_headers(contract, value))}
    return told
