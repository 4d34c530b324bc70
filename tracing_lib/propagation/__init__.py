"""Trace context across processes and threads: headers, baggage, the current span."""
