"""Names of stores, and names in servers that stand elsewhere: keyspaces, indices, buckets and topics."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from stacks.environment.units import identifier, refuse, shown

_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_INDEX_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_STORE = re.compile(r"[a-z][a-z0-9]{0,15}")
_TAKEN = ("copy", "flush", "taken")
"""Names that exporters of a gateway have which lead to no store."""


def _keyspace(value: str) -> str:
    if not _KEYSPACE.fullmatch(value):
        right = 'write lower-case letters, digits and "_", 48 at most, and a letter first'
        raise refuse(f"{shown(value)} is not a keyspace that Cassandra takes; {right}")
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
        right = 'write 3 to 63 lower-case letters, digits, "-" and "."'
        raise refuse(f"{shown(value)} is not the name of a bucket; {right}")
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


Keyspace = Annotated[str, AfterValidator(_keyspace), WithJsonSchema({"type": "string", "pattern": f"^{_KEYSPACE.pattern}$"})]
"""The name of a keyspace of Cassandra, which need not be quoted."""

IndexPrefix = Annotated[str, AfterValidator(_index_prefix), WithJsonSchema({"type": "string", "pattern": f"^{_INDEX_PREFIX.pattern}$"})]
"""The beginning of the names of indices of OpenSearch and Elasticsearch."""

TopicName = Annotated[str, AfterValidator(_topic), WithJsonSchema({"type": "string", "pattern": f"^{_TOPIC.pattern}$"})]
"""The name of a topic of Kafka, or of a group of its consumers."""

BucketName = Annotated[str, AfterValidator(_bucket), WithJsonSchema({"type": "string", "pattern": f"^{_BUCKET.pattern}$"})]
"""The name of a bucket, as all object storages take it."""

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
