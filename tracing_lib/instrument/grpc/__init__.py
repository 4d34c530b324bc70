"""Spans of gRPC calls, on the server and on the client."""
