"""Spans of WebSocket connections and of their events."""
