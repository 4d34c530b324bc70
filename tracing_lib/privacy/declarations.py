"""The library's own declarations: VirtEngine's attributes, and those of the semantic conventions 1.44 that may leave the process.

Attributes of the conventions that name a person or a person's address, or hold input of a user, are not declared: ``enduser.*``,
``user.*``, ``client.address``, ``network.peer.*``, ``user_agent.original``, ``url.query``, headers, messages.
"""

from __future__ import annotations

from typing import Final

from tracing_lib.privacy.attribute import Attribute, Privacy, Shape


def _choice(key: str, meaning: str, values: str) -> Attribute:
    return Attribute(key, meaning, Shape.CHOICE, values=frozenset(values.split()))


OWN: Final = (
    Attribute("virtengine.order.id", "The marketplace order that is worked on.", baggage=True),
    Attribute("virtengine.order.cpu_units", "CPU units that an order asks for.", Shape.NUMBER),
    Attribute("virtengine.bid.id", "The bid on an order.", baggage=True),
    Attribute("virtengine.bid.price", "Price of a bid, in the smallest unit of the chain's coin per block.", Shape.NUMBER),
    Attribute("virtengine.lease.id", "The lease that a bid became.", baggage=True),
    Attribute("virtengine.deployment.id", "The deployment that orders belong to.", baggage=True),
    Attribute("virtengine.provider.id", "The provider's registered identifier; a company, not a person."),
    Attribute("virtengine.escrow.deposit", "Deposit, in the smallest unit of the chain's coin.", Shape.NUMBER),
    Attribute("virtengine.escrow.required", "Deposit that would have been enough, in the same unit.", Shape.NUMBER),
    Attribute("virtengine.veid.level", "Level of identity verification that was found, 0 (none) upwards.", Shape.NUMBER),
    Attribute("virtengine.veid.scope_type", "Kind of identity scope, as the enumeration names it.", Shape.CODE),
    Attribute("virtengine.veid.scope_id", "The identity scope; it belongs to a person.", privacy=Privacy.HASH),
    Attribute("virtengine.account", "Chain account; pseudonymous, and public on the chain.", privacy=Privacy.HASH),
    Attribute("virtengine.module", "Module of the chain, such as market.", Shape.CODE),
    Attribute("virtengine.success", "Whether the operation did what was asked.", Shape.FLAG),
    Attribute("virtengine.cancelled", "Whether the caller gave up before the operation ended.", Shape.FLAG),
    _choice("virtengine.link.role", "What a linked span is to this one.", "connection sender"),
    Attribute("virtengine.tx.accepted", "Whether ante handling let the transaction pass.", Shape.FLAG),
    Attribute("virtengine.tx.hash", "Hash of a transaction, hexadecimal."),
    Attribute("virtengine.tx.code", "Result code of a transaction; 0 is success.", Shape.NUMBER),
    Attribute("virtengine.tx.codespace", "Module that the result code belongs to.", Shape.CODE),
    Attribute("virtengine.tx.gas_used", "Gas that a transaction used.", Shape.NUMBER),
    Attribute("virtengine.block.height", "Height of the block.", Shape.NUMBER),
    Attribute("virtengine.event.type", "Type of a chain or WebSocket event.", Shape.CODE),
    Attribute("virtengine.event.sequence", "Number of an event on its connection.", Shape.NUMBER),
    Attribute("virtengine.event.size", "Size of an event's payload, bytes.", Shape.NUMBER),
    Attribute("virtengine.connection.id", "The WebSocket connection, made by the library."),
    Attribute("virtengine.job.id", "An asynchronous job."),
    Attribute("virtengine.job.kind", "What a job does, named as in the code.", Shape.CODE),
    Attribute("virtengine.job.attempt", "Which attempt at a job this is, from 1.", Shape.NUMBER),
    Attribute("virtengine.job.wait_seconds", "Time between handing a job out and starting it, seconds.", Shape.NUMBER),
    Attribute("virtengine.error.fingerprint", "Stable digest of an error's type and the place that raised it."),
    Attribute("virtengine.error.code", "Code that a module gives an error.", Shape.CODE),
    Attribute("virtengine.waldur.request_id", "Identifier that Waldur gave the request."),
    Attribute("virtengine.waldur.resource_type", "Collection that the request was to, such as marketplace-orders.", Shape.CODE),
    Attribute("virtengine.waldur.uuid", "UUID of the Waldur object that the request was to."),
    Attribute("virtengine.kubernetes.audit_id", "Identifier of the request in the API server's audit log."),
    Attribute("virtengine.kubernetes.kind", "Kind of the object, such as Pod.", Shape.CODE),
    Attribute("virtengine.kubernetes.resource", "Resource in the path, such as pods.", Shape.CODE),
    Attribute("virtengine.kubernetes.uid", "UID of the object that was made."),
    Attribute("virtengine.kubernetes.reason", "Reason in the API server's refusal, such as NotFound.", Shape.CODE),
    Attribute("virtengine.slurm.job_id", "Number of the SLURM job."),
    Attribute("virtengine.slurm.cluster", "SLURM cluster that took the job.", Shape.CODE),
    Attribute("virtengine.slurm.partition", "Partition of a SLURM job.", Shape.CODE),
    Attribute("virtengine.slurm.state", "State of a SLURM job, such as COMPLETED.", Shape.CODE),
    _choice("virtengine.doctor.probe", "Marks the doctor's test span.", "doctor"),
)
"""VirtEngine's attributes, which every service may set."""
_IDS: Final = """
    messaging.message.id messaging.message.conversation_id messaging.batch.id faas.invocation_id k8s.namespace.name k8s.pod.uid
    k8s.job.uid k8s.deployment.uid container.id service.instance.id cicd.pipeline.run.id http.request.resend_id messaging.message_id
    celery.correlation_id celery.reply_to
"""
_NAMES: Final = """
    code.function.name code.file.path code.namespace code.function error.type exception.type rpc.system rpc.system.name rpc.service
    rpc.method rpc.response.status_code rpc.grpc.status_code db.system db.system.name db.operation db.operation.name db.collection.name
    db.query.summary db.response.status_code messaging.system messaging.operation messaging.operation.name messaging.operation.type
    messaging.destination.name messaging.consumer.group.name messaging.client.id messaging.destination messaging.destination_kind
    celery.action celery.state celery.task_name celery.routing_key db.sql.table http.request.method http.method http.flavor url.scheme
    http.scheme network.protocol.name network.transport network.type net.transport net.protocol.name otel.status_code otel.scope.name
    otel.library.name thread.name sampler.type service.name service.namespace deployment.environment.name telemetry.sdk.name
    telemetry.sdk.language os.type host.arch process.runtime.name cloud.provider cloud.region cloud.availability_zone cloud.platform
    k8s.namespace.name k8s.pod.name k8s.node.name k8s.deployment.name k8s.statefulset.name k8s.daemonset.name k8s.job.name
    k8s.cronjob.name k8s.container.name k8s.cluster.name container.name container.image.name
"""
_NUMBERS: Final = """
    http.response.status_code http.status_code http.request.body.size http.response.body.size http.request.size http.response.size
    http.request.resend_count http.response_content_length http.request_content_length server.port net.host.port net.peer.port client.port
    code.line.number code.lineno thread.id process.pid rpc.message.id rpc.message.compressed_size rpc.message.uncompressed_size message.id
    message.compressed_size message.uncompressed_size messaging.batch.message_count messaging.message.body.size
    messaging.message.envelope.size messaging.destination.partition.id db.response.returned_rows db.operation.batch.size
    k8s.container.restart_count sampler.param celery.retries celery.countdown
"""
_FLAGS: Final = "exception.escaped messaging.destination.temporary messaging.destination.anonymous"
_VERSIONS: Final = (
    "service.version telemetry.sdk.version telemetry.distro.version process.runtime.version otel.scope.version os.version "
    "network.protocol.version net.protocol.version"
)
# The name of a database as well, which is a path where SQLite has it, and then stays.
_HOSTS: Final = "server.address host.name net.host.name net.peer.name http.host db.name db.namespace"


def _conventions() -> tuple[Attribute, ...]:
    listed = {
        Shape.ID: _IDS,
        Shape.CODE: _NAMES,
        Shape.NUMBER: _NUMBERS,
        Shape.FLAG: _FLAGS,
        Shape.VERSION: _VERSIONS,
        Shape.HOST: _HOSTS,
        Shape.ROUTE: "http.route url.template messaging.destination.template",
        Shape.PATH: "url.path http.target",
        Shape.STATEMENT: "db.query.text db.statement",
        Shape.URL: "url.full http.url",
    }
    meaning = "As in the OpenTelemetry semantic conventions 1.44."
    by_key = {key: Attribute(key, meaning, shape) for shape, keys in listed.items() for key in keys.split()}
    sizes = _choice("rpc.message.type", meaning, "SENT RECEIVED")
    asgi = _choice(
        "asgi.event.type", "Step of an ASGI exchange.", "http.response.start http.response.body websocket.accept websocket.close"
    )
    return (*by_key.values(), sizes, asgi, _choice("message.type", meaning, "SENT RECEIVED"))


CONVENTIONS: Final = _conventions()
"""Attributes of the semantic conventions that may leave the process."""
STAYING: Final = frozenset(
    """
    client.address client.port network.peer.address network.peer.port net.peer.ip net.sock.peer.addr net.sock.peer.port net.sock.host.addr
    http.client_ip http.user_agent http.server_name user_agent.original user_agent.synthetic.type url.query db.user db.connection_string
    celery.origin celery.hostname celery.delivery_info celery.timelimit celery.eta celery.expires
    exception.message exception.stacktrace process.owner process.command process.command_line process.command_args process.executable.path
    """.split()  # noqa: SIM905  as below
)
"""Attributes of instrumentations that stay in the process by decision, so that nobody needs to be told."""
WORDS: Final = tuple(
    """
    a abort accept accepted account accounts action adapter allocate allocation ante api app apply approve attach audit auth authorize
    await backend background balance batch begin bid bids block blocks body broadcast build by cache call cancel chain check child claim
    clean client close closed cluster collect command commit complete compute confirm connect connection consume consumer container
    control count create created credit daemon data database decode delete deleted deliver deliverable deploy deployment deployments
    deposit deposits destroy detach discover dispatch do done down drain encode end enqueue error escrow event events exception execute
    export failed failing fast fetch file finish first flow flush for from gateway get grandchild grant group groups handle handler hash
    health healthz http identity import in index ingest init inner input instance invoice invoices issue item items job jobs keeper
    keepers last leaf lease leases level limit link list live load local lock log login logs long lookup main market marketplace match
    message metadata metrics middle migrate module monitor msg name namespace namespaces network new next node nodes not notify of
    offering offerings ok old on open opened operation order orders outer output page parse partition pay payment ping place placed plan
    plugin pod pods policy poll pong pool portal portals post prepare price probe process produce producer project projects proposal
    provider providers provision publish pull push put query queue quote read ready readyz receive reconcile record refund register reject
    rejected release remote remove renew replay reply report request reserve resource resources response resume retrieve retry revoke role
    roles root route router rpc run schedule scheduler scope scopes script second send sender server service session set settle shutdown
    sibling sign simulate single slow socket span spans start state stats status step steps stop storage store stream submit subscribe
    subscription succeeded sum sync task tasks template test third tick time timeout to token topic trace traced traces transaction
    transfer trusted tx txs unary unlock unsubscribe update updated upload usage validate validator verify version wait warm watch webhook
    websocket with withdraw work worker workers write ws
    """.split()  # noqa: SIM905  words are read most easily as a text
)
"""Words that are kept in names of spans and events and in paths, beside the words of declared keys."""
NAMES: Final = ("sbatch", "scancel", "scontrol show job")
"""Names of the library's spans that are neither code nor made of ``WORDS``."""
