"""What the services share: tracing and logs from the outputs file, and an end in order."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tracing_lib import ContractError, SettingsError, TracingSettings, configure, configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracing_lib import Tracing

HOST: Final = "127.0.0.1"

_SHUTDOWN_SECONDS: Final = 20.0
"""For the last spans at the end. Longer than the library's default, because nobody waits for these services, and less than their grace."""
_logger: Final = logging.getLogger(__name__)


@contextmanager
def traced(service_name: str) -> Iterator[Tracing]:
    """Configure tracing and JSON logs of this process for the block, and deliver the last spans at its end.

    The outputs file is named by ``VIRTENGINE_TRACING_OUTPUTS``. Leaves with status 2 and a plain message where it cannot be used.
    """
    try:
        settings = TracingSettings.from_environment(service_name=service_name, service_version="0.1.0")
    except (ContractError, SettingsError) as error:
        sys.stderr.write(f"{service_name}: {error}\n")
        sys.exit(2)
    configure_logging(settings)
    tracing = configure(settings)
    try:
        yield tracing
    finally:
        report = tracing.shutdown(_SHUTDOWN_SECONDS)
        _logger.info("tracing ended: %d spans, %d delivered", report.ended, report.delivered)
