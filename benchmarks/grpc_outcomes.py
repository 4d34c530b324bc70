"""How the library's gRPC interceptors and those of opentelemetry-python-contrib report six outcomes, as a table.

``python -m benchmarks.grpc_outcomes`` prints it; ``--write`` puts it into ``docs/library/grpc.md``. Takes about ten seconds.
"""

from __future__ import annotations

import logging
import re
import sys
from importlib.metadata import version
from pathlib import Path

from tests.tracing_lib.instrument.grpc_cases import contrib, observe_all, ours, table

PAGE = Path(__file__).parents[1] / "docs" / "library" / "grpc.md"
MARKED = re.compile(r"(?<=<!-- outcomes -->\n).*?(?=<!-- /outcomes -->)", re.DOTALL)


def main() -> None:
    """Observe both, print, and write where asked to."""
    logging.disable(logging.CRITICAL)  # the servers log every exception that they are made to raise
    theirs = f"contrib {version('opentelemetry-instrumentation-grpc')}"
    text = table({"tracing_lib": observe_all(ours()), theirs: observe_all(contrib())})
    print(text)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(MARKED.sub(lambda _: f"\n{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    main()
