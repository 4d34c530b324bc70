"""Names that the library writes into spans: attributes, events, and values for the unknown.

Names of OpenTelemetry's semantic conventions are those of version 1.44. VirtEngine's own begin with ``virtengine.``. The Python package of
the conventions is not used, because most of these names are in its module that is marked as incubating and may be renamed.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
"""Version of the semantic conventions that the names are taken from."""

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
"""Bytes of the message before compression."""
WEBSOCKET: Final = "websocket"

# Errors (semantic conventions, "Recording errors")
ERROR_TYPE: Final = "error.type"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"

# VirtEngine's own
CANCELLED: Final = "virtengine.cancelled"
"""True if the caller cancelled the operation before its end. This is not an error: the status stays unset."""
ERROR_FINGERPRINT: Final = "virtengine.error.fingerprint"
"""Digest of an exception's type and of the function that raised it. The exception's text is not part of it."""
LINK_ROLE: Final = "virtengine.link.role"
"""Relation of the linked span to this one: ``connection`` or ``sender``."""
MODULE: Final = "virtengine.module"
"""Chain module whose keeper runs: ``market``, ``veid``, ``escrow``."""
TX_ACCEPTED: Final = "virtengine.tx.accepted"
"""Whether ante handling accepted the transaction."""
LONGEST_NAME: Final = 160
"""Characters of a span's name that leave the process. The rest is cut off; names of low cardinality are far shorter."""
