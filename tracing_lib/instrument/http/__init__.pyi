from tracing_lib.instrument.http.asgi import AsgiTracing as AsgiTracing
from tracing_lib.instrument.http.client import trace_httpx as trace_httpx
