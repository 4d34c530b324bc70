"""A certificate and its key, made by openssl for one test."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]


def certificate(folder: Path, *names: str) -> tuple[str, str]:
    """A certificate that signs itself, for DNS names, and its key: the texts of ``tls.crt`` and ``tls.key``, written to a folder."""
    subject = ["-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
    files = ["-out", str(folder / "tls.crt"), "-keyout", str(folder / "tls.key")]
    subprocess.run(["openssl", "req", "-x509", *_EC, *subject, *files], check=True, capture_output=True)
    return (folder / "tls.crt").read_text(), (folder / "tls.key").read_text()
