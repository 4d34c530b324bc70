"""Environments that cannot be used: what is changed in prod, or the whole file, and what must be said of it."""

from __future__ import annotations

from stacks.environment.sizing import DISK_BYTES_PER_SPAN_BYTE, HELD_BYTES_PER_SPAN_BYTE, IDLE_BYTES
from stacks.environment.units import approximate_bytes
from tests.stacks.environment.bad import Bad
from tests.stacks.environment.bad import value as _value
from tests.stacks.environment.bad_stores import STORES
from tests.stacks.samples import ABSENT, Key, settings, text


def _file(id_: str, content: str | bytes, wrong: str, right: str, *, key: str = "") -> Bad:
    return Bad(id_, key, wrong, right, content=content.encode() if isinstance(content, str) else content)


LONG = "x" * 5000
LABEL, OURS, AFFINITY = "labels.app.kubernetes.io/name", "annotations.virtengine.io/x", "pods.node_affinity.a.values"
GREATER = {"key": "x", "operator": "Gt", "values": ["many"]}
STORE, STORED, TOKEN = {"store": "vault"}, "external_secrets.secrets.", "tracing-ingest-token"
INGEST = {"namespaces": ["virtengine"], "certificate": {"name": "company"}}
NOBODY: dict[str, dict[str, dict[str, str]]] = {"a": {"labels": {}}}
GATEWAY = {"name": "public", "namespace": "gateways"}
PLAIN = {"kind": "s3", "bucket": "traces", "endpoint": "s3.example.org", "plain_http": True, "ca_secret": "storage-ca"}
HEAD = "config:\n  virtengine-tracing:environment:\n"
COMPLETE = text(settings("prod"))
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}\n" for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)
TARGET: Key = ("sampling", "targets", "chain", "virtengine.market.v1.Query/Orders")
DIMENSIONS = "aggregation.span_metrics.dimensions"
NOISE = "sampling.tail.noise.probes.values"
BUCKET = {"kind": "tempo", "resources": {"memory": "4Gi"}}
STRATEGIES = "sampling.strategies.services"
STRATEGY, RATE = "sampling.strategies.services.portal", ".traces_per_second"

UNITS = [
    _value("duration without a unit", "retention.traces", "30", '"30" has no unit', 'write "30d" or "720h"'),
    _value("duration as a number", "retention.traces", 30, "30 has no unit", 'write "30d" or "720h"'),
    _value("short duration as a number", "sampling.tail.wait", 10, "10 has no unit", 'write "10s" or "10000ms"'),
    _value("large number without a unit", "retention.traces", 2592000, "2592000 has no unit", 'write "2592000d" or "62208000h"'),
    _value("duration in words", "retention.traces", "30 days", '"30 days" is not a duration', 'for example "1d"'),
    _value("negative duration", "retention.traces", "-30d", '"-30d" is not a duration', 'for example "1d"'),
    _value("truth value for a duration", "retention.traces", value=True, wrong="true is not a duration", right="ms, s, m, h, d"),
    _value("list for a duration", "retention.traces", ["30d"], "a list is not a duration", "ms, s, m, h, d"),
    _value("null for a duration", "retention.traces", None, "null is not a duration", "ms, s, m, h, d"),
    _value("no time at all", "retention.traces", "0d", '"0d" is too short', 'write "1m" or more'),
    _value("finer than a millisecond", "sampling.tail.wait", "0.5ms", "finer than a millisecond", 'for example "1ms"'),
    _value("longer than a life", "retention.traces", "999999999999999d", "is too long", 'write "36500d" or less'),
    _value("digits without end", "retention.traces", "9" * 5000 + "d", "is too long", 'write "36500d" or less'),
    _value("percent without sign", "sampling.tail.baseline", 5, "5 has no percent sign", 'write "5 %"'),
    _value("ratio for a percentage", "sampling.tail.baseline", 0.05, "0.05 has no percent sign", 'write "0.05 %" or "5 %"'),
    _value("more than everything", "sampling.head_ratio", "150 %", '"150 %" is more than everything', 'write "100 %" or less'),
    _value("negative percentage", "sampling.tail.baseline", "-5 %", '"-5 %" is not a percentage', 'for example "5 %"'),
    _value("size without a unit", "backend.volume.size", 500, "500 has no unit", '"500Gi" or "500Mi"'),
    _value("size in decimal letters", "backend.volume.size", "500GB", '"500GB" is not a size', 'for example "10Gi"'),
    _value("negative size", "collectors.gateway.queue.size", "-1Gi", '"-1Gi" is not a size', "Ki, Mi, Gi, Ti"),
    _value("no room", "collectors.agent.queue.size", "0Gi", "is no room at all", 'for example "1Gi"'),
    _value("larger than any disk", "backend.volume.size", "9" * 400 + "Ti", "is more than any disk", 'write "4096Ti" or less'),
    _value("CPU in words", "backend.resources.cpu", "2 cores", "is not an amount of CPU", '"2" or "500m"'),
    _value("no CPU", "access.resources.cpu", 0, "0 is no CPU at all", 'for example "100m"'),
    _value("CPU without end", "backend.resources.cpu", "9" * 400, "more than any machine has", 'write "10000" or less'),
]

TYPES = [
    _value("number for text", "target.context", 5, "5 stands where text belongs", "put it in quotes"),
    _value("text for a whole number", "collectors.gateway.replicas", "3", '"3" stands where a whole number belongs', "without quotes"),
    _value("truth value for a number", "load.spans_per_second", value=True, wrong="true stands where a number", right="write digits"),
    _value("fraction for a whole number", "load.nodes", 1.5, "1.5 stands where a whole number belongs", "write digits"),
    _value("infinite load", "load.spans_per_second", float("inf"), "inf is no finite number", "write one"),
    _value("load that is no number", "load.spans_per_second", float("nan"), "nan is no finite number", "write one"),
    _value("unthinkable load", "load.spans_per_second", 1e300, "1e+300 is too much", "write 1e+09 or less"),
    _value("negative load", "load.spans_per_second", -1, "-1 is too little", "write 0.001 or more"),
    _value("text for a truth value", "backend.protect", "yes", '"yes" stands where a truth value belongs', "write true or false"),
    _value("number for a truth value", "sampling.tail.errors", 1, "1 stands where a truth value belongs", "write true or false"),
    _value("list where a mapping belongs", "sampling", ["tail"], "a list stands where a mapping of settings", "write its settings"),
    _value("scalar where a mapping belongs", "collectors", "one", '"one" stands where a mapping of settings', "write its settings"),
    _value("null where a mapping belongs", "ingest", None, "null stands where a mapping of settings", "write its settings"),
    _value(
        "list where names belong", "sampling.strategies.services", ["portal"], "a list stands where a mapping by name", "write the names"
    ),
    _value("scalar where a list belongs", "access.operator_groups", "ops", '"ops" stands where a list belongs', "for example [ops]"),
    _value("mapping where a list belongs", "ingest.namespaces", {"a": "b"}, "a mapping stands where a list belongs", "for example [a, b]"),
    _value("number in a list of texts", "access.operator_groups", [1], "1 stands where text", "quotes", named="access.operator_groups.0"),
    _value("number as a name", "images.digests", {5: "sha256:" + "0" * 64}, "5 is not known", '"jaeger"', named="images.digests.5"),
    _value("half a character", "access.client_id", "a\ud800", "holds half a character", "write whole ones"),
]

KEYS = [
    _value("unknown section", "retentoin", {"traces": "30d"}, "unknown key", "did you mean retention?"),
    _value("unknown key in a section", "sampling.tail.basline", "5 %", "unknown key", "did you mean baseline?"),
    _value("unknown key like no other", "backend.zzz", 1, "unknown key", "known here: also, autoscaling, kind, name, pods, protect, query"),
    _value("key of another kind", "target.host", "unix:///x", "unknown key", "known here: addresses, annotations, context"),
    _value("control characters in a key", "a\x1b[31m\nb", 1, "unknown key", "known here: access", named="a\\x1b[31m\\nb"),
    _value("missing section", "load", ABSENT, "is required and missing", "write its settings below it"),
    _value("missing key", "sampling.tail.baseline", ABSENT, "is required and missing", 'write for example "5 %"'),
    _value("missing kind", "backend.kind", ABSENT, "is required and missing", '"jaeger", "tempo" or "otlp"', named="backend.kind"),
    _value("unknown kind of target", "target.kind", "nomad", '"nomad" is not known', 'write "local", "docker" or "kubernetes"'),
    _value("unknown kind of backend", "backend.kind", "cassandra", '"cassandra" is not known', 'write "jaeger", "tempo" or "otlp"'),
    _value("list for a kind", "target.kind", ["local"], "a list is not known", 'write "local", "docker" or "kubernetes"'),
    _value("unknown storage", "backend", {"kind": "tempo", "storage": {"kind": "nfs"}}, '"nfs" is', '"s3"', named="backend.storage.kind"),
    _value("missing storage", "backend", {"kind": "tempo"}, "is required and missing", "write its settings", named="backend.storage"),
    _value(
        "unknown program", "images.digests", {"jeager": "sha256:" + "0" * 64}, "is not known", '"jaeger"', named="images.digests.jeager"
    ),
    _value(
        "cluster without a context",
        "target.context",
        ABSENT,
        "is required and missing",
        'write for example "virtengine-prod". Context of the kubeconfig, one that `kubectl config get-contexts` lists. '
        "Required: a stack never deploys to whatever context happens to be current.",
    ),
]

FORMS = [
    _value("empty text", "target.context", "", '"" is no text', "write some, or leave it out"),
    _value("blank text", "access.groups_claim", " ", '" " is no text', "write some, or leave it out"),
    _value("context with a blank at its end", "target.context", "prod ", '"prod " begins or ends with a blank', 'write "prod"'),
    _value(
        "context to be filled in", "target.context", "${CONTEXT}", 'holds "${CONTEXT}", which nothing fills in', "write the value itself"
    ),
    _value("client to be filled in", "access.client_id", "{{ id }}", 'holds "{{ id }}", which nothing fills in', "write the value itself"),
    _value("issuer to be filled in", "access.oidc_issuer", "https://${HOST}/x", 'holds "${HOST}"', "write the value itself"),
    _value("claim to be filled in", "access.groups_claim", "$(CLAIM)", 'holds "$(", which nothing fills in', "write the value itself"),
    _value("client that cannot be seen", "access.client_id", "a\tb", "holds a character that cannot be seen", "write it without"),
    _value(
        "address of the issuer's description",
        "access.oidc_issuer",
        "https://login.example.org/realms/x/.well-known/openid-configuration",
        "is the address of the issuer's description",
        'write the issuer, "https://login.example.org/realms/x"',
    ),
    _value(
        "group with a blank at its end", "access.operator_groups", ["ops "], "ends with a blank", '"ops"', named="access.operator_groups.0"
    ),
    _value("empty group", "access.operator_groups", [""], '"" is no text', "write some", named="access.operator_groups.0"),
    _value("scope with a blank", "access.scopes", ["openid email"], "is not a scope", '"groups"', named="access.scopes.0"),
    _value("address for a host", "access.host", "10.0.0.5", "is an address, and an Ingress has a host by name", '"traces.example.org"'),
    _value("Secret in capitals", "access.tls_secret", "Traces-TLS", "is not a name that Kubernetes takes", "write lower-case letters"),
    _value(
        "Secret that ends with a dot", "access.tls_secret", "traces.", "is not a name that Kubernetes takes", "write lower-case letters"
    ),
    _value("noise of an empty value", NOISE, [""], '"" is no text', "leave it out", named=f"{NOISE}.0"),
    _value("noise with a blank at its end", NOISE, ["/healthz "], "begins or ends with a blank", '"/healthz"', named=f"{NOISE}.0"),
    _value("noise of everything", NOISE, ["*"], "is compared as it stands and is no pattern", "write the values", named=f"{NOISE}.0"),
    _value("noise of every text", NOISE, ["^.*$"], "is no pattern", "write the values", named=f"{NOISE}.0"),
    Bad(
        "bucket in capitals",
        "environment.backend.storage.bucket",
        '"Traces_Prod" is not the name of a bucket',
        "write 3 to 63 lower-case letters",
        {"backend": BUCKET | {"storage": {"kind": "s3", "bucket": "Traces_Prod", "endpoint": "s3.example.org"}}},
    ),
    Bad(
        "region to be filled in",
        "environment.backend.storage.region",
        'holds "${REGION}"',
        "write the value itself",
        {"backend": BUCKET | {"storage": {"kind": "s3", "bucket": "traces", "endpoint": "s3.example.org", "region": "${REGION}"}}},
    ),
    *(
        _value(f"twice in {key}", key, [value, value], f'"{value}" stands twice', "keep one of them")
        for key, value in (
            ("ingest.namespaces", "virtengine"),
            ("access.operator_groups", "ops"),
            ("access.ingress_namespaces", "traefik"),
            ("access.trusted_proxies", "10.0.0.0/8"),
            ("aggregation.scraper_namespaces", "monitoring"),
            ("aggregation.span_metrics.dimensions", "http.route"),
            ("aggregation.service_graph.dimensions", "http.route"),
            (NOISE, "/healthz"),
        )
    ),
    _value("value of a label", "target.labels", {"a": "b c"}, "is not the value of a label", "63 at most", named="target.labels.a"),
    _value("family of addresses", "target.addresses", "v6", '"v6" is not known', '"ipv4"'),
    _value(
        "no neighbours", "target.pods.pod_affinity", NOBODY, "an empty mapping", "one or more", named="target.pods.pod_affinity.a.labels"
    ),
    _value("empty list of groups", "access.operator_groups", [], "an empty list leaves nothing", "write one or more"),
    _value("name that Kubernetes refuses", "namespace", "Virt_Engine", "is not a name that Kubernetes takes", "write lower-case letters"),
    _value("name that ends with a newline", "namespace", "tracing\n", '"tracing\\n" is not a name', "write lower-case letters"),
    _value("name that is too long", "namespace", "a" * 64, "is not a name that Kubernetes takes", "63 at most"),
    _value("host with a scheme", "access.host", "https://traces", "is not a host name", '"traces.example.org"'),
    _value("issuer without TLS", "access.oidc_issuer", "http://login.example.org", "is not an https address", "write for example"),
    _value("issuer of half an address", "access.oidc_issuer", "https://[::1", "is not an https address", "write for example"),
    _value("issuer with a space", "access.oidc_issuer", "https://a b/", "is not an https address", "write for example"),
    _value("digest that is none", "images.digests", {"jaeger": "latest"}, "is not a digest", '"sha256:"', named="images.digests.jaeger"),
    _value("network that is none", "access.trusted_proxies", ["ten"], "is not a network", "/8", named="access.trusted_proxies.0"),
    _value("network with a host", "access.trusted_proxies", ["10.1.2.3/8"], "not a network", "/8", named="access.trusted_proxies.0"),
    _value("rate that the protocol cuts", STRATEGY, {"traces_per_second": 0.5}, "whole number", "digits", named=STRATEGY + RATE),
    _value("mirror with a scheme", "images.registry", "https://mirror", "does not have the form", "registry.example.org/mirror"),
    _value("very long value", "namespace", LONG, "x…", "63 at most"),
]

RULES = [
    *(
        _value(id_, f"target.{key}", value, wrong, right, named=f"target.{named or key}")
        for id_, key, value, wrong, right, named in (
            ("label that is set here", "labels", {"app.kubernetes.io/name": "x"}, "is set here already", "leave it out", LABEL),
            ("annotation of ours", "annotations", {"virtengine.io/x": "x"}, "is set here already", "leave it out", OURS),
            ("key of a label", "labels", {"a b": "x"}, '"a b" is not the key of a label', '"example.org/team"', "labels.a b"),
            ("other system", "pods.node_selector", {"kubernetes.io/os": "windows"}, "is linux for every server", "leave it out", ""),
            (
                "taint without key",
                "pods.tolerations",
                {"a": {"value": "x"}},
                "without the key",
                "write key too",
                "pods.tolerations.a.value",
            ),
            ("affinity of nothing", "pods.node_affinity", {"a": {"key": "x"}}, "0 do not go with In", "one or more", AFFINITY),
            ("affinity of no number", "pods.node_affinity", {"a": GREATER}, "1 do not go with Gt", "one whole number", AFFINITY),
            (
                "secret that nothing reads",
                "external_secrets",
                STORE | {"secrets": {"x": "y"}},
                "nothing reads",
                "tracing-access",
                STORED + "x",
            ),
            (
                "token in a store",
                "external_secrets",
                STORE | {"secrets": {TOKEN: "y"}},
                "stays with the stack",
                "leave it out",
                STORED + TOKEN,
            ),
        )
    ),
    _value("certificate without a secret", "ingest", INGEST, "has no Secret", "ingest.tls_secret", named="ingest.certificate"),
    _value("Ingress without a certificate", "access.tls_secret", ABSENT, "is required with an Ingress", '"traces-tls"'),
    Bad(
        "certificate behind a Gateway",
        "environment.access.tls_secret",
        "is of no use",
        "leave it out",
        {"access.gateway": GATEWAY, "access.ingress_class": ABSENT},
    ),
    Bad(
        "class behind a Gateway",
        "environment.access.ingress_class",
        "is of no use",
        "leave it out",
        {"access.gateway": GATEWAY, "access.tls_secret": ABSENT},
    ),
    Bad(
        "authority with plain HTTP",
        "environment.backend.storage.ca_secret",
        "is of no use with plain HTTP",
        "leave it out",
        {"backend": BUCKET | {"storage": PLAIN}},
    ),
    _value("namespace of every cluster", "namespace", "kube-system", "is there on every cluster", "write a name of its own"),
    _value("token in the Secret of the login", "ingest.token_secret", "tracing-access", "of access.secret already", "one of its own"),
    _value("pull secret with a certificate", "images.pull_secret", "tracing-ingest-tls", "of ingest.tls_secret already", "one of its own"),
    _value(
        "queue that answers before the disk has it",
        "collectors.agent.queue",
        {"size": "1Gi", "sync_writes": True, "when_full": "lose"},
        '"lose" acknowledges before the disk has it',
        'write "refuse", or sync_writes: false',
        named="collectors.agent.queue.when_full",
    ),
    _value("room for no log", "target.pods.log_space", "1k", "1000 is less than a log takes", 'write "16Mi" or more'),
    _value("noise of every attribute", "sampling.tail.noise.probes.attribute", "*", "is no pattern", "write the values"),
    _value("everybody an operator", "access.operator_groups", ["*"], "is no pattern", "values", named="access.operator_groups.0"),
    _value("strategy of every service", STRATEGIES, {"*": {"ratio": "5 %"}}, "is no pattern", "write the values", named=f"{STRATEGIES}.*"),
    _value(
        "share of a queue that holds no request",
        "collectors.agent.queue.size",
        "100Mi",
        "100Mi is less than the queue of an agent needs",
        'write "1792Mi" or more',
        more={"collectors.gateway.replicas": 64},
    ),
    _value("wait of an hour", "sampling.tail.wait", "1h", '"1h" is too long', 'write "30m" or less'),
    _value("nobody may send", "ingest.namespaces", [], "no namespace may send", "[virtengine]"),
    _value("the backbone sends to itself", "ingest.namespaces", ["virtengine-observability"], "own namespace", "name those of your"),
    _value("Badger with two replicas", "backend.replicas", 2, "opened by one process, not shared by 2", "or choose kind: tempo"),
    *STORES,
    Bad(
        "Tempo with two replicas",
        "environment.backend.replicas",
        "is one process without Kafka and cannot be 2",
        "write 1",
        {"backend": {"kind": "tempo", "storage": {"kind": "volume", "size": "500Gi"}, "replicas": 2}},
    ),
    Bad(
        "wait as long as the grace period",
        "environment.sampling.tail.wait",
        "not shorter than collectors.gateway.grace_period (1m)",
        "80s",
        {"collectors.agent.queue": None, "sampling.tail.wait": "60s"},
    ),
    _value("wait of half a second", "sampling.tail.wait", "10500ms", "10500ms is cut to whole seconds", 'write "10s"'),
    _value("slow as long as the wait", "sampling.tail.slow", "10s", "not shorter than sampling.tail.wait", "write less than 10s"),
    _value("nothing is kept", "sampling.tail", {"baseline": "0 %", "errors": False, "slow": None}, "no trace at all", "errors: true"),
    _value("ratio and rate", STRATEGY, {"ratio": "5 %", "traces_per_second": 5}, "has both ratio and", "exactly one of them"),
    _value("neither ratio nor rate", STRATEGY, {}, "has neither ratio nor", "exactly one of them"),
    _value(
        "operations beside a rate",
        STRATEGY,
        {"traces_per_second": 5, "operations": {"GET /": "5 %"}},
        "which the protocol does not know",
        "write ratio in its place",
        named=f"{STRATEGY}.operations",
    ),
    Bad(
        "floor above the ceiling",
        "environment.sampling.targets.chain.virtengine.market.v1.Query/Orders.floor",
        "50 % is above the ceiling of 10 %",
        "write that or less",
        {TARGET: {"traces_per_second": 5, "floor": "50 %", "ceiling": "10 %"}},
    ),
    _value("buckets that do not rise", "aggregation.span_metrics.buckets", ["1s", "10ms", "1s"], "do not rise", "write [10ms, 1s]"),
    _value("graph buckets that do not rise", "aggregation.service_graph.buckets", ["1s", "10ms"], "do not rise", "write [10ms, 1s]"),
    _value("expiry within a flush", "aggregation.span_metrics.expiry", "15s", "series would vanish", "write 1m or more"),
    _value("agent limited too late", "collectors.agent.memory_limit", "95 %", "95 % is out of bounds", "write 40 % to 85 %"),
    _value("gateway limited too soon", "collectors.gateway.memory_limit", "10 %", "10 % is out of bounds", "write 40 % to 85 %"),
    _value("login without an identity", "access.scopes", ["email"], "without openid the issuer gives no identity", "write [openid, email]"),
    _value("cluster of unknown size", "load.nodes", ABSENT, "is required on a cluster", "write how many there are"),
    _value(
        "digest of what does not run",
        "images.digests",
        {"tempo": "sha256:" + "0" * 64},
        "no tempo runs here",
        "What runs: busybox, jaeger, oauth2-proxy, otelcol-contrib",
        named="images.digests.tempo",
    ),
    _value("noise of half a character", NOISE, ["a\ud800"], "holds half a character", "write whole ones", named=f"{NOISE}.0"),
    _value("service without a name", STRATEGIES, {" ": {"ratio": "5 %"}}, '" " is no text', "write some", named=f"{STRATEGIES}. "),
    *(
        _value(f"dimension {wrong}", f"aggregation.{section}.dimensions", dimensions, text_, right)
        for section, wrong, dimensions, text_, right in (
            ("span_metrics", "that is there", ["span.kind"], "is the label span_kind, which every series has", "leave it out"),
            ("span_metrics", "of the collector's own", ["collector.instance.id"], "the collector keeps for itself", "leave it out"),
            ("span_metrics", "of the scrape", ["job"], "is the label job, which every series has", "leave it out"),
            ("span_metrics", "of the buckets", ["le"], "is the label le, which every series has", "leave it out"),
            ("span_metrics", "of another spelling", ["http.route", "http_route"], "are one label, http_route", "keep one of them"),
            ("service_graph", "in another alphabet", ["größe", "gr.ß_e", "gr__e"], "are one label", "keep one of them"),
            ("span_metrics", "of a digit in two ways", ["1st", "key_1st"], "are one label, key_1st", "keep one of them"),
            ("service_graph", "without a letter", ["..."], "makes no label of Prometheus", 'for example "http.route"'),
            ("service_graph", "that is reserved", ["__name__"], "makes no label of Prometheus", 'for example "http.route"'),
        )
    ),
    _value("dimension that is empty", "aggregation.span_metrics.dimensions", [""], '"" is no text', "write", named=f"{DIMENSIONS}.0"),
    _value("flush of a millisecond", "aggregation.flush_interval", "1ms", '"1ms" is too short', 'write "1s" or more'),
    _value("poll of a millisecond", "sampling.strategies.poll_interval", "1ms", '"1ms" is too short', 'write "1s" or more'),
    _value("graph that waits for nothing", "aggregation.service_graph.wait", "999ms", '"999ms" is too short', 'write "1s" or more'),
    _value("limit of less than a span", "sampling.tail.baseline_limit", 0.5, "stands where a whole number belongs", "write digits"),
    *(
        _value(f"{key} of {value}", key, value, f"{value.replace('4k', '4000')} is less than {what}", f'write "{right}" or more')
        for key, value, what, right in (
            ("collectors.agent.resources.memory", "4k", "an agent needs", "192Mi"),
            ("collectors.agent.resources.memory", "10Mi", "an agent needs", "192Mi"),
            ("collectors.agent.queue.size", "1Mi", "the queue of an agent needs", "84Mi"),
            ("collectors.gateway.queue.size", "1Mi", "the queue of a gateway needs", "64Mi"),
            ("backend.resources.memory", "64Mi", "Jaeger needs", "256Mi"),
            ("access.resources.memory", "1Mi", "the login proxy needs", "32Mi"),
        )
    ),
    _value("token in clear", "ingest.tls_secret", None, "cross the network in clear", "ingest.tls_secret too", named="ingest.token_secret"),
]

SIZES = [
    _value(
        "more than Badger writes at once",
        "sampling.tail.baseline_limit",
        None,
        "with synchronous writes Badger takes 1,800 spans/s and",
        "write false, or lower sampling.tail.baseline",
        named="backend.sync_writes",
        more={"sampling.tail.baseline": "100 %", "backend.volume.size": "9Ti"},
    ),
    _value(
        "more than Badger takes",
        "load.spans_per_second",
        100_000,
        "Badger takes 1,800 spans/s and 100,000 would be kept",
        "write kind: tempo, or lower sampling.head_ratio",
        named="backend.kind",
        more={
            "sampling.tail.baseline": "100 %",
            "sampling.tail.baseline_limit": None,
            "backend.volume.size": "900Ti",
            "collectors.gateway.resources.memory": "64Gi",
        },
    ),
    _value(
        "volume that cannot hold the retention",
        "backend.volume.size",
        "200Gi",
        "200Gi cannot hold 30d of traces: 2,000 spans/s × 6.9 % kept × 1,197 B × 30d = 399Gi, with 20 % left free 498Gi",
        'write "499Gi" or more, or lower retention.traces or sampling.tail.baseline',
    ),
    Bad(
        "Tempo volume that cannot hold the retention",
        "environment.backend.storage.size",
        f"2,000 spans/s × 6.9 % kept × {400 * DISK_BYTES_PER_SPAN_BYTE['tempo']:,.0f} B × (30d + 207m until it is deleted) = ",
        'Gi" or more, or lower retention.traces or sampling.tail.baseline',
        {"backend": {"kind": "tempo", "storage": {"kind": "volume", "size": "30Gi"}}},
    ),
    _value(
        "queue that is full while nothing fails",
        "collectors.agent.queue.size",
        "128Mi",
        "128Mi holds 10 s of the spans of a node, which wait up to 25 s for answers",
        'write "448Mi" or more, or lower sampling.tail.wait',
        more={"backend.volume.size": "2Ti", "load.nodes": 1, "load.spans_per_second": 10_000, "sampling.tail.baseline": "1 %"},
    ),
    _value(
        "memory that cannot hold what waits",
        "collectors.gateway.resources.memory",
        "128Mi",
        "128Mi cannot hold the traces that wait for tail sampling: 667 spans/s and gateway × 28.5 s until an answer × "
        f"{(400 + 330 / 2 + 40) * HELD_BYTES_PER_SPAN_BYTE['answered']:,.0f} B + {approximate_bytes(IDLE_BYTES)} = ",
        'write "256Mi" or more, or lower sampling.tail.wait or sampling.head_ratio',
    ),
]

FILES = [
    _file("empty file", "", "is empty", 'write "config:"'),
    _file("only a comment", "# nothing yet\n", "is empty", 'write "config:"'),
    _file("a list for a file", "- config\n", "holds no mapping", 'write "config:"'),
    _file("a scalar for a file", "prod\n", "holds no mapping", 'write "config:"'),
    _file("no config", "encryptionsalt: v1:x\n", '"config" is missing', 'write "config:"'),
    _file("a list for config", "config: [a]\n", "holds no mapping", 'write "config:"'),
    _file("config of another project", "config:\n  aws:region: x\n", 'config has no "virtengine-tracing:environment"', "write it"),
    _file("null environment", HEAD, "nothing stands where a mapping", "stacks schema", key="environment"),
    _file("list for the environment", HEAD + "  - a\n", "a list stands where a mapping", "stacks schema", key="environment"),
    _file("JSON text for the environment", HEAD[:-1] + " '{}'\n", "text stands where a mapping", "stacks schema", key="environment"),
    _file("wrong indent", "config:\n  a: 1\n b: 2\n", "line 3, column 2: expected <block end>", "compare with Pulumi.dev.yaml"),
    _file("tab", "config:\n\ta: 1\n", "line 2, column 1: found character", "indent with spaces"),
    _file("quote not closed", 'config:\n  a: "b\n', "line 2, column 6: a quote is opened and not closed", "close it"),
    _file("two documents", "a: 1\n---\nb: 2\n", "line 2, column 1: but found another document", "compare with"),
    _file("duplicate key", COMPLETE + "    namespace: a\n    namespace: b\n", 'the key "namespace" stands twice', "keep one of them"),
    _file("duplicate key at the top", "config: {}\nconfig: {}\n", 'the key "config" stands twice', "keep one of them"),
    _file("list as a key", "? [a]\n: b\n", "a list or a mapping cannot be a key", "write text"),
    _file("number as a key", COMPLETE + "    5: a\n", "the key 5 is no text", "put it in quotes", key="environment.5"),
    *(
        _file(f"doubtful {value}", HEAD + f"    namespace: {value}\n", f'"{value}" is one thing to some readers', right)
        for value, right in (
            ("0500", 'write 500 for the number, or "0500" in quotes for text'),
            ("1_000", 'write 1000 for the number, or "1_000" in quotes for text'),
            ("08", 'write 8 for the number, or "08" in quotes for text'),
            ("0x1F", "put it in quotes"),
            ("0o17", "put it in quotes"),
            ("-0b11", "put it in quotes"),
            ("2024-01-01", "put it in quotes"),
            ("2024-1-1 10:00:00", "put it in quotes"),
            ("2024-13-45", "put it in quotes"),
        )
    ),
    _file("tag", HEAD + "    namespace: !!int foo\n", 'the tag "!!int" is not taken', "put text in quotes"),
    _file("tag of a list", HEAD + "    namespace: !!set [a]\n", 'the tag "!!set" is not taken', "put text in quotes"),
    _file("other line break", HEAD + "    namespace: a\u2028b\n", "line 3: the character \\u2028 ends a line", "write it without"),
    _file("number without end", HEAD + f"    namespace: {'1' * 5000}\n", "has more digits than any setting", "write fewer"),
    _file("hexadecimal without end", HEAD + f"    namespace: 0x{'f' * 5000}\n", "is one thing to some readers", "quotes"),
    _file("Python object", HEAD + "    namespace: !!python/object/apply:os.getpid []\n", "is not taken", "put text in quotes"),
    _file("unknown alias", "config: *nowhere\n", "found undefined alias", "compare with Pulumi.dev.yaml"),
    _file("deeper than the stack", "[" * 3000, "nests deeper than any setting", "compare with Pulumi.dev.yaml"),
    _file("control character", "config: \0\n", "is not YAML", "compare with Pulumi.dev.yaml"),
    _file("merge key", "a: &a {b: 1}\nconfig:\n  <<: *a\n", '"<<" is not taken', "write the settings out"),
    _file("merges of merges", MERGES, '"<<" is not taken', "write the settings out"),
    _file(
        "anchors of anchors",
        BOMB + COMPLETE.replace("traces: 30d", "traces: *m"),
        "a list is not a duration",
        "ms, s, m, h, d",
        key="environment.retention.traces",
    ),
    _file("not UTF-8", b"config: \xff\n", "is not UTF-8 at byte 8", "save it as UTF-8"),
    _file("UTF-16", "config: {}\n".encode("utf-16"), "is not UTF-8 at byte 0", "save it as UTF-8"),
]

ALL = [*UNITS, *TYPES, *KEYS, *FORMS, *RULES, *SIZES, *FILES]
