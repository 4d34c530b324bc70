"""An API server that does at once what it is asked and keeps back one kind of answer: so a request can be interrupted between the two."""

from __future__ import annotations

import http.client
import ssl
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from stacks.deploy.cluster import client
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 65536
_OF_A_CONNECTION = {"connection", "transfer-encoding", "content-length"}


@contextmanager
def late(context: str, kubeconfig: Path, plural: str) -> Iterator[threading.Event]:
    """A way to the cluster of a context on which whoever makes an object of a kind has to wait for the answer.

    ``kubeconfig`` is written, with that context, and leads there. The event says that such an object was made.
    """
    made = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(client(context).configuration, plural, made)) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kubeconfig.write_text(yaml.safe_dump(_leading_to(f"http://127.0.0.1:{server.server_port}", context)))
        yield made
        server.shutdown()


def _leading_to(address: str, context: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "late", "cluster": {"server": address}}],
        "users": [{"name": "anyone", "user": {}}],
        "contexts": [{"name": context, "context": {"cluster": "late", "user": "anyone"}}],
        "current-context": context,
    }


def _handler(far: Any, plural: str, made: threading.Event) -> type[BaseHTTPRequestHandler]:  # noqa: ANN401 - the client is not typed
    """What passes each request on to the API server of a configuration, with its credentials."""
    tls = ssl.create_default_context(cafile=far.ssl_ca_cert)
    if far.cert_file:
        tls.load_cert_chain(far.cert_file, far.key_file)
    credentials = {found["key"]: found["value"] for found in far.auth_settings().values()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing: what the engine says is all that a test reads."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            head = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "accept-encoding", *_OF_A_CONNECTION}
            }
            connection = http.client.HTTPSConnection(urlsplit(far.host).netloc, context=tls)
            connection.request(self.command, self.path, body, head | credentials)
            # Whoever has been interrupted is gone.
            with suppress(OSError):
                self._answer(connection.getresponse())
            self.close_connection = True
            connection.close()

        def _answer(self, answer: http.client.HTTPResponse) -> None:
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_A_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.flush()
            if self.command == "POST" and f"/{plural}" in self.path and "dryRun" not in self.path:
                made.set()
                self.connection.settimeout(STALL_SECONDS)
                self.rfile.read(1)
            while part := answer.read1(_CHUNK):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the server's own names

    return Handler
