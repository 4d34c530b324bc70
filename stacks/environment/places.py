"""Places in which stores keep traces and brokers keep topics, so that two spellings of one place are found to be one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stacks.environment.hosts import one_spelling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stacks.environment.tempo import Storage

_AMAZON = re.compile(r"(?:.+\.)?(amazonaws\.com(?:\.cn)?)")
_GOOGLE = "storage.googleapis.com"


def servers_of(servers: Iterable[str]) -> frozenset[str]:
    """The servers in one spelling."""
    return frozenset(map(one_spelling, servers))


def home_of(storage: Storage) -> str | None:
    """The server, or the account, in which the name of Tempo's bucket means one bucket; None on a volume."""
    match storage.kind:
        case "volume":
            return None
        case "s3":
            # Amazon's buckets have one name in all regions, and those of Google are served by the S3 API too.
            amazon = _AMAZON.fullmatch(storage.endpoint)
            if amazon or storage.endpoint == _GOOGLE:
                return amazon[1] if amazon else _GOOGLE
            return one_spelling(f"{storage.endpoint}:{storage.port}")
        case "gcs":
            return _GOOGLE
        case "azure":
            return f"{storage.account}.{storage.endpoint}"
