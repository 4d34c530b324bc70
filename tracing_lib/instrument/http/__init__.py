"""Spans of HTTP requests, on the server and on the client."""
