"""Every name that a span of this library can carry, once: attributes, events, and what a value is called when it is unknown.

Names of OpenTelemetry's semantic conventions are those of version 1.44; VirtEngine's own stand under ``virtengine.``. They are written
out here because the conventions' Python package keeps most of them in a module that it calls incubating and may rename.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the semantic conventions that the names below are taken from."""

# RPC (semantic conventions, "RPC spans" and "gRPC")
RPC_SYSTEM_NAME: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_RESPONSE_STATUS_CODE: Final = "rpc.response.status_code"
GRPC: Final = "grpc"

# HTTP (semantic conventions, "HTTP spans")
HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
HTTP_OTHER_METHOD: Final = "_OTHER"
NETWORK_PROTOCOL_NAME: Final = "network.protocol.name"
NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
URL_SCHEME: Final = "url.scheme"
URL_TEMPLATE: Final = "url.template"

# Messages, here those of a WebSocket (semantic conventions, "Messaging spans")
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_BODY_SIZE: Final = "messaging.message.body.size"
"""Bytes of the message as it travels, before compression."""

WEBSOCKET: Final = "websocket"

# Errors (semantic conventions, "Recording errors")
ERROR_TYPE: Final = "error.type"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"

# VirtEngine's own
CANCELLED: Final = "virtengine.cancelled"
"""True where the caller gave up before the operation ended. Not an error: the status stays unset."""

ERROR_FINGERPRINT: Final = "virtengine.error.fingerprint"
"""Hash over the exception's type and the place it came from: equal for equal causes, and holds none of the exception's text."""

LINK_ROLE: Final = "virtengine.link.role"
"""What the linked span is to this one: ``connection`` or ``sender``."""

MODULE: Final = "virtengine.module"
"""The chain module whose keeper runs: ``market``, ``veid``, ``escrow``."""

TX_ACCEPTED: Final = "virtengine.tx.accepted"
"""Whether ante handling let the transaction pass."""

LONGEST_NAME: Final = 160
"""Characters of a span's name that leave the process. The rest is cut off; names of low cardinality are far shorter."""
