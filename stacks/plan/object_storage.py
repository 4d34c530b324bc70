"""Object storage of Tempo's blocks: the bucket, and what reaching it needs of the workload and of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from components.documents.buckets import AzureContainer, GcsBucket, S3Bucket
from components.workload import Edge, Port, SecretFile, SecretVariable
from stacks.plan.names import of_store
from stacks.plan.parts import AUTHORITY, files_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.documents.buckets import Bucket
    from stacks.environment import tempo as sections
    from stacks.plan.parts import Inputs

HTTPS = 443
"""Port of object storage that an endpoint need not name."""

GKE_METADATA = 988
"""Port of the metadata server on the nodes of GKE, which policies see behind 169.254.169.254:80."""

_GOOGLE_KEY, _AZURE_LABEL = "key.json", "azure.workload.identity/use"


@dataclass(frozen=True, slots=True)
class Remote:
    """A bucket with what reaching it needs.

    Keys in variables and files of Secrets, other variables, annotations of the service account, and labels of pods. Blocks on a volume
    have no bucket.
    """

    bucket: Bucket | None = None
    keys: tuple[SecretVariable, ...] = ()
    files: tuple[SecretFile, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def remote(inputs: Inputs, storage: sections.Storage) -> Remote:
    """The bucket of an environment."""
    match storage.kind:
        case "volume":
            return Remote()
        case "s3":
            return _s3(inputs, storage)
        case "gcs":
            return _gcs(inputs, storage)
        case "azure":
            return _azure(storage)
        case _:
            assert_never(storage.kind)


def _s3(inputs: Inputs, storage: sections.TempoBucket) -> Remote:
    named, authority = storage.credentials_secret, storage.ca_secret
    keys = (("S3_ACCESS_KEY", "access-key"), ("S3_SECRET_KEY", "secret-key"))
    files = files_of(inputs.addresses, of_store("storage", inputs.environment), (authority, AUTHORITY))
    bucket = S3Bucket(
        storage.bucket,
        # The port of TLS goes without saying.
        storage.endpoint if storage.port == HTTPS else f"{storage.endpoint}:{storage.port}",
        storage.region,
        credentials=named is not None,
        plain_http=storage.plain_http,
        authority=files[0].path if files else None,
    )
    variables = tuple(SecretVariable(variable, named, key) for variable, key in keys if named is not None)
    return Remote(bucket, variables, files, annotations=storage.service_account_annotations)


def _gcs(inputs: Inputs, storage: sections.TempoGcs) -> Remote:
    files = files_of(inputs.addresses, of_store("storage", inputs.environment), (storage.credentials_secret, _GOOGLE_KEY))
    variables = {"GOOGLE_APPLICATION_CREDENTIALS": files[0].path} if files else {}
    return Remote(GcsBucket(storage.bucket), (), files, variables, storage.service_account_annotations)


def _azure(storage: sections.TempoAzure) -> Remote:
    named = storage.credentials_secret
    federated = named is None and storage.identity == "workload"
    bucket = AzureContainer(
        storage.account,
        storage.bucket,
        storage.endpoint,
        credentials=named is not None,
        federated=federated,
        client_id=storage.client_id,
    )
    keys = (SecretVariable("AZURE_ACCOUNT_KEY", named, "account-key"),) if named is not None else ()
    # Pods without the label are not looked at by the webhook that gives them their token.
    labels = {_AZURE_LABEL: "true"} if federated else {}
    return Remote(bucket, keys, annotations=storage.service_account_annotations, labels=labels)


def edges(tempo: str, storage: sections.Storage) -> Iterator[Edge]:
    """The edges from the workload ``tempo`` to its bucket, and to what hands out its identity where it has no key."""
    if storage.kind == "volume":
        return
    plain, number = (storage.plain_http, storage.port) if storage.kind == "s3" else (False, HTTPS)
    yield Edge(tempo, "object-storage", Port("http" if plain else "https", number, "http"))
    if storage.credentials_secret is not None:
        return
    if number != HTTPS:
        # The token of a service account is changed for keys at a server of its own.
        yield Edge(tempo, "object-storage", Port("https", HTTPS, "http"))
    if storage.kind == "azure" and storage.identity == "workload":
        return
    yield Edge(tempo, "instance-identity", Port("http", 80, "http"))
    if storage.kind == "gcs":
        yield Edge(tempo, "instance-identity", Port("http-gke", GKE_METADATA, "http"))
