"""Names of stores, and names in servers that stand elsewhere: keyspaces, indices, buckets and topics."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from stacks.environment.units import identifier, refuse, shown

_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_SYSTEM = re.compile(r"system(_.*)?")
_RESERVED = re.compile(
    "add|allow|alter|and|apply|asc|authorize|batch|begin|by|columnfamily|create|delete|desc|describe|drop|entries|execute|false|from|full|"
    "grant|if|in|index|infinity|insert|into|is|keyspace|limit|materialized|modify|nan|norecursive|not|null|of|on|or|order|primary|rename|"
    "revoke|schema|select|set|table|to|token|true|truncate|unlogged|update|use|using|view|where|with"
)
"""Words that the parser of Cassandra 5.0.6 takes for no keyspace, tried each; Jaeger writes its own without quotes."""

_INDEX_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_BUCKET = re.compile(r"(?!.*(\.\.|\.-|-\.))(?!([0-9]+\.){3}[0-9]+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_GOOGLE = re.compile(r"(?!goog)(?!.*(google|g00gle))" + _BUCKET.pattern)
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_STORE = re.compile(r"[a-z][a-z0-9]{0,15}")
_TAKEN = ("copy", "flush", "taken")
"""Names that exporters of a gateway have which lead to no store."""


def _keyspace(value: str) -> str:
    if not _KEYSPACE.fullmatch(value):
        right = 'write lower-case letters, digits and "_", 48 at most, and a letter first'
        raise refuse(f"{shown(value)} is not a keyspace that Cassandra takes; {right}")
    if _RESERVED.fullmatch(value):
        raise refuse(
            f"{shown(value)} is a word of CQL, with which Jaeger makes no table; write another, for example {shown('jaeger_' + value)}"
        )
    if _SYSTEM.fullmatch(value):
        raise refuse(f"{shown(value)} is a keyspace of Cassandra's own; write another, for example {shown('jaeger_' + value)}")
    return value


def _index_prefix(value: str) -> str:
    if not _INDEX_PREFIX.fullmatch(value) or value.endswith("-"):
        right = 'write lower-case letters, digits, "-", "_" and ".", 100 at most, and no "-" last'
        raise refuse(f"{shown(value)} is not the beginning of an index; {right}")
    return value


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        raise refuse(f'{shown(value)} is not the name of a topic; write letters, digits, ".", "_" and "-", 200 at most')
    return value


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(identifier(value)):
        right = 'write 3 to 63 lower-case letters, digits, "-" and ".", no two signs together but hyphens, and no address'
        raise refuse(f"{shown(value)} is not the name of a bucket; {right}")
    return value


def _bucket_of_google(value: str) -> str:
    if not _GOOGLE.fullmatch(_bucket(value)):
        raise refuse(
            f'{shown(value)} is a name that Google keeps for itself; write one that neither begins with "goog" nor has "google" in it'
        )
    return value


def _container(value: str) -> str:
    if not _CONTAINER.fullmatch(identifier(value)):
        raise refuse(f'{shown(value)} is not the name of a container; write 3 to 63 lower-case letters, digits and single "-"')
    return value


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise refuse(f"{shown(value)} is not the name of a storage account; write 3 to 24 lower-case letters and digits")
    return value


def _region(value: str) -> str:
    if not _REGION.fullmatch(identifier(value)):
        raise refuse(f'{shown(value)} is not a region; write letters, digits and "-", for example "eu-central-1"')
    return value


def _store(value: str) -> str:
    if not _STORE.fullmatch(value):
        raise refuse(f"{shown(value)} cannot be part of a workload's name; write lower-case letters and digits, 16 at most, a letter first")
    if value in _TAKEN:
        raise refuse(f"{shown(value)} is what a gateway calls a queue of its own; write another name")
    return value


_KEYSPACE_SCHEMA = f"^(?!({_RESERVED.pattern}|{_SYSTEM.pattern})$){_KEYSPACE.pattern}$"

Keyspace = Annotated[str, AfterValidator(_keyspace), WithJsonSchema({"type": "string", "pattern": _KEYSPACE_SCHEMA})]
"""The name of a keyspace of Cassandra, which need not be quoted and is not Cassandra's own."""

IndexPrefix = Annotated[str, AfterValidator(_index_prefix), WithJsonSchema({"type": "string", "pattern": f"^{_INDEX_PREFIX.pattern}$"})]
"""The beginning of the names of indices of OpenSearch and Elasticsearch."""

TopicName = Annotated[str, AfterValidator(_topic), WithJsonSchema({"type": "string", "pattern": f"^{_TOPIC.pattern}$"})]
"""The name of a topic of Kafka, or of a group of its consumers."""

BucketName = Annotated[str, AfterValidator(_bucket), WithJsonSchema({"type": "string", "pattern": f"^{_BUCKET.pattern}$"})]
"""The name of a bucket, as object storages with an S3 API take it and Tempo's client of them."""

GoogleBucketName = Annotated[str, AfterValidator(_bucket_of_google), WithJsonSchema({"type": "string", "pattern": f"^{_GOOGLE.pattern}$"})]
"""The name of a bucket of Google Cloud Storage."""

ContainerName = Annotated[str, AfterValidator(_container), WithJsonSchema({"type": "string", "pattern": f"^{_CONTAINER.pattern}$"})]
"""The name of a container of Azure."""

AccountName = Annotated[str, AfterValidator(_account), WithJsonSchema({"type": "string", "pattern": f"^{_ACCOUNT.pattern}$"})]
"""The name of a storage account of Azure."""

Region = Annotated[str, AfterValidator(_region), WithJsonSchema({"type": "string", "pattern": f"^{_REGION.pattern}$"})]
"""The name of a region of an S3 API."""

StoreName = Annotated[str, AfterValidator(_store), WithJsonSchema({"type": "string", "pattern": f"^{_STORE.pattern}$"})]
"""The name of one of several stores of an environment, which its workloads have behind a hyphen."""

_MOST_KEYSPACE = 48


def default_keyspace(name: str) -> str:
    """Keyspace of the environment ``name``."""
    return ("jaeger_" + re.sub(r"[^a-z0-9_]", "_", name.lower()))[:_MOST_KEYSPACE]


def default_index_prefix(name: str) -> str:
    """Beginning of the indices of the environment ``name``."""
    return re.sub(r"[^a-z0-9_.-]", "-", name.lower()).strip("-_.") or "tracing"
