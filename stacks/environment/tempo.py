"""Settings of Tempo: its blocks on a volume or in object storage, and the limits above which it refuses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks.environment.cluster import Pods
from stacks.environment.hosts import Hostname
from stacks.environment.section import Section
from stacks.environment.sections import Disk, Resources, disk_of, resources_of
from stacks.environment.store_names import AccountName, BucketName, ContainerName, GoogleBucketName, Region
from stacks.environment.store_section import StoreSection
from stacks.environment.units import Age, Bytes, Identifier, LabelKey, ObjectName, Text


class TempoVolume(Section):
    """Blocks on a volume."""

    kind: Literal["volume"] = Field(title="trace storage")
    """Storage of Tempo's blocks."""
    size: Bytes = Field(title="volume size")
    """Bytes asked of the storage class, for blocks and write-ahead log. Required: it follows from the load and the retention."""
    storage_class: ObjectName | None = Field(default=None, title="storage class")
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""


class TempoBucket(Section):
    """Blocks in an S3-compatible bucket; the write-ahead log stays on a volume."""

    kind: Literal["s3"] = Field(title="trace storage")
    """Storage of Tempo's blocks."""
    bucket: BucketName = Field(title="bucket", examples=["virtengine-traces-prod"])
    """Name of the bucket. Required; it must exist and belong to this environment alone, since retention deletes in it."""
    endpoint: Hostname = Field(title="object storage endpoint", examples=["s3.example.org"])
    """Host name of the S3 API. Required: it decides who stores the traces."""
    port: int = Field(default=443, ge=1, le=65_535, title="object storage port")
    """Port of the S3 API. Default: 443."""
    plain_http: bool = Field(default=False, title="plain HTTP to the object storage")
    """Whether traces and keys cross the network in clear. Default: false; a server inside of the cluster may have no certificate."""
    ca_secret: ObjectName | None = Field(default=None, title="authority of the object storage", examples=["storage-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the certificate of the S3 API; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. Default: none, the public authorities."""
    region: Region | None = Field(default=None, title="region")
    """Region of the bucket. Default: none, as most S3-compatible servers want."""
    credentials_secret: ObjectName | None = Field(default=None, title="credentials of the bucket")
    """Secret with the entries `access-key` and `secret-key`. Default: none, which leaves it to the identity of the node or pod; the
    services that hand it out (169.254.169.254 and 169.254.170.23, port 80) are then open to the backend."""
    service_account_annotations: dict[LabelKey, Text] = Field(default_factory=dict, title="annotation of the backend service account")
    """Annotations by which the backend's service account has an identity, for example `eks.amazonaws.com/role-arn`. Kubernetes only.
    Default: none."""
    wal: Disk = Field(default=disk_of("10Gi"), title="write-ahead log")
    """Volume of the write-ahead log: what was acknowledged and is not in the bucket yet. Default: 10Gi, hours at 1,000 spans/s."""


class TempoGcs(Section):
    """Blocks in a bucket of Google Cloud Storage; the write-ahead log stays on a volume."""

    kind: Literal["gcs"] = Field(title="trace storage")
    """Storage of Tempo's blocks."""
    bucket: GoogleBucketName = Field(title="bucket", examples=["virtengine-traces-prod"])
    """Name of the bucket. Required; it must exist and belong to this environment alone, since retention deletes in it."""
    credentials_secret: ObjectName | None = Field(default=None, title="credentials of the bucket")
    """Secret with the entry `key.json`, the key of a service account of Google Cloud. Default: none, which leaves it to the identity of the
    node or pod; the metadata servers that hand it out (169.254.169.254, and 169.254.169.252 on GKE) are then open to the backend."""
    service_account_annotations: dict[LabelKey, Text] = Field(default_factory=dict, title="annotation of the backend service account")
    """Annotations by which the backend's service account has an identity: `iam.gke.io/gcp-service-account`. Kubernetes only. Default:
    none."""
    wal: Disk = Field(default=disk_of("10Gi"), title="write-ahead log")
    """Volume of the write-ahead log: what was acknowledged and is not in the bucket yet. Default: 10Gi, hours at 1,000 spans/s."""


class TempoAzure(Section):
    """Blocks in a container of an Azure storage account; the write-ahead log stays on a volume."""

    kind: Literal["azure"] = Field(title="trace storage")
    """Storage of Tempo's blocks."""
    account: AccountName = Field(title="storage account", examples=["virtenginetraces"])
    """Name of the storage account. Required."""
    bucket: ContainerName = Field(title="bucket", examples=["virtengine-traces-prod"])
    """Name of the container. Required; it must exist and belong to this environment alone, since retention deletes in it."""
    endpoint: Hostname = Field(default="blob.core.windows.net", title="object storage endpoint")
    """Host name of the Blob service behind the name of the account. Default: that of Azure's public cloud; its others have their own."""
    credentials_secret: ObjectName | None = Field(default=None, title="credentials of the bucket")
    """Secret with the entry `account-key`, a key of the storage account. Default: none, which leaves it to `identity`."""
    identity: Literal["workload", "node"] = Field(default="workload", title="identity of the backend")
    """Identity that is used without a key. `workload`: Entra Workload ID, by the annotation `azure.workload.identity/client-id` of the
    service account. `node`: a managed identity of the node, from 169.254.169.254, which is then open to the backend. Default: `workload`,
    because the identity of a node is that of every pod on it."""
    client_id: Identifier | None = Field(default=None, title="managed identity")
    """Client id of the node's managed identity. Default: none, the only one that the node has."""
    service_account_annotations: dict[LabelKey, Text] = Field(default_factory=dict, title="annotation of the backend service account")
    """Annotations by which the backend's service account has an identity: `azure.workload.identity/client-id`. Kubernetes only. Default:
    none."""
    wal: Disk = Field(default=disk_of("10Gi"), title="write-ahead log")
    """Volume of the write-ahead log: what was acknowledged and is not in the bucket yet. Default: 10Gi, hours at 1,000 spans/s."""


Storage = TempoVolume | TempoBucket | TempoGcs | TempoAzure
"""Storages of Tempo's blocks."""


class TempoLimits(Section):
    """Limits above which Tempo refuses, or leaves out."""

    trace_size: Bytes | None = Field(default=None, title="largest trace")
    """Bytes of a trace; its spans beyond them are left out, which `TracingStoreDiscards` tells. Default: ten times a trace of the load,
    and 5 MB at least, which is Tempo's own; a search reads whole traces into memory."""
    intake_rate: Bytes | None = Field(default=None, title="intake rate of the backend", json_schema_extra={"unit": "bytes/s"})
    """Bytes a second that are taken; what is over is refused, and waits in the gateways' queues. Default: ten times what gateways keep of
    the load, so that they catch up after an outage, and 15 MB/s at least, which is Tempo's own."""
    burst: Bytes | None = Field(default=None, title="burst of the backend")
    """Bytes that are taken at once, above the rate. Default: a second of the rate, and 20 MB at least, which is Tempo's own."""
    search_range: Age | None = Field(default=None, title="search range")
    """Longest time that one search may be over; a longer one is refused. Default: the retention and an hour, so that all that is stored can
    be found at once; a shorter one bounds what a search costs in reads of the object storage."""


class GrafanaServer(Resources):
    """CPU and memory of Grafana, and its pods."""

    scraped: bool = Field(default=False, title="scraping")
    """Whether the namespaces that may scrape reach Grafana's port. Default: false, because its metrics are on the port of its pages, and
    who reaches that past the login sees every trace."""
    pods: Pods = Pods()
    """Rules for the pods of Grafana. Default: those of `target.pods`."""


class Tempo(StoreSection):
    """Tempo 3 in one process (`target: all`), with Grafana as its user interface."""

    kind: Literal["tempo"] = Field(title="backend")
    """Kind of the backend."""
    storage: Annotated[Storage, Field(discriminator="kind")]
    """Storage of Tempo's blocks."""
    replicas: int = Field(default=1, ge=1, title="backend replicas")
    """Processes. Monolithic Tempo 3 without Kafka is one, which is the default."""
    protect: bool = Field(default=True, title="protection of the stored traces")
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: Resources = Field(default=resources_of("1", "4Gi"), title="backend")
    """Default: a core and 4Gi; Tempo builds its blocks in memory."""
    pods: Pods = Field(default=Pods(), title="backend")
    """Rules for the pods of the backend. Default: those of `target.pods`."""
    limits: TempoLimits = TempoLimits()
    """Limits above which Tempo refuses."""
    grafana: GrafanaServer = Field(default=GrafanaServer(), title="Grafana")
    """CPU and memory of Grafana. Default: a tenth of a core and 256Mi, enough for operators looking at traces."""
