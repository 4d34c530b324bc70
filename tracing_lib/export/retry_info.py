"""The pause that a gRPC error asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Metadatum(Protocol):
    """A key and a value of gRPC metadata."""

    key: str
    value: str | bytes


class FailedCall(Protocol):
    """The part of a ``grpc.RpcError`` that is read here; grpc itself may not be installed."""

    def trailing_metadata(self) -> Iterable[Metadatum] | None:
        """Return the metadata that the server sent with the error."""


def retry_info(error: FailedCall) -> float | None:
    """Return the seconds to wait of the ``google.rpc.RetryInfo`` in the details of a gRPC error, or None without one."""
    details = next((pair.value for pair in error.trailing_metadata() or () if pair.key == "grpc-status-details-bin"), None)
    if details is None:
        return None
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # googleapis-common-protos has no types
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    try:
        for detail in Status.FromString(details).details:
            info = RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    except DecodeError:
        return None
    return None
