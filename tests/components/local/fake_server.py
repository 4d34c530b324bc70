"""A small real server: it reads its document (JSON, named by the last argument), answers its health path, and journals its life.

Run as a program: python fake_server.py DOCUMENT
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
journal = Path(document["journal"])


def note(what: str) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(f"{what} {document['name']}\n")


def stop(_number: int, _frame: object) -> None:
    time.sleep(document.get("drain_seconds", 0))
    note("stop")
    os._exit(0)


class Handler(BaseHTTPRequestHandler):
    """Answers the health path and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/status" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
        pass


print("the document is read", flush=True)  # noqa: T201 - the log is what is tested
if document.get("refused"):
    print(f"line of noise\n{'x' * 10}\nError: key 'refused' is not known", flush=True)  # noqa: T201
    sys.exit(3)
if document.get("child"):
    child = subprocess.Popen(["/bin/sh", "-c", document["child"]])
    Path(document["child_pid_file"]).write_text(str(child.pid), encoding="utf-8")
signal.signal(signal.SIGTERM, signal.SIG_IGN if document.get("ignores_sigterm") else stop)
time.sleep(document.get("wakes_after", 0))
note("start")
if document.get("never_healthy"):
    time.sleep(600)
HTTPServer(("127.0.0.1", document["port"]), Handler).serve_forever()
