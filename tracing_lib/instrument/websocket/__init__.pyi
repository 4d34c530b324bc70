from tracing_lib.instrument.websocket.client import trace_websocket as trace_websocket
