"""Polling of sampling strategies, in a thread of its own, so that no request waits for it."""

from __future__ import annotations

import logging
import random
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tracing_lib.base.background import after_fork, start_thread
from tracing_lib.base.http_session import UNREACHABLE, SettingsSession, basic
from tracing_lib.base.responses import CHUNK_BYTES, TooLongAnswerError, read_answer
from tracing_lib.sampling.strategies import Strategy, StrategyError, parse_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracing_lib.contract.settings import TracingSettings

_logger: Final = logging.getLogger("tracing_lib")
_RANDOM: Final = random.SystemRandom()
"""Not the generator of ``random``, whose sequence is the service's own once it is seeded."""
_TIMEOUT_SECONDS: Final = 5.0
_LONGEST_ANSWER: Final = 2**20
_OK: Final = 200
_FIRST_PAUSE: Final = 1.0
_EARLIEST: Final = 0.8
"""Least random share of the interval between two polls, so that the services of a fleet do not poll at once."""


class StrategyPoller:
    """Polls strategies (Jaeger remote sampling over HTTP) and passes each changed one to ``apply``.

    After a failure the last strategy stays, and the pause is one second, doubled up to the interval. Each change of state is one line in
    the log.
    """

    def __init__(self, settings: TracingSettings, apply: Callable[[Strategy], None]) -> None:
        self._settings = settings
        self._apply = apply
        self._strategy: Strategy | None = None
        self._said: str | None = None
        self._begin()
        after_fork(self._after_fork)

    def _begin(self) -> None:
        self._stopped = threading.Event()
        self._session = SettingsSession(self._settings.certificate)
        start_thread("strategies", self._work)

    def _after_fork(self) -> None:
        if not self._stopped.is_set():
            self._begin()

    def stop(self) -> None:
        """Stop polling. A request that hangs is left to its thread."""
        self._stopped.set()
        self._session.close()

    def _work(self) -> None:
        interval, failures = self._settings.strategies_poll_seconds, 0
        pause = 0.0
        while not self._stopped.wait(pause * _RANDOM.uniform(_EARLIEST, 1.0)):
            problem = self._poll()
            if self._stopped.is_set():
                return
            self._say(problem)
            failures = failures + 1 if problem else 0
            pause = min(interval, _FIRST_PAUSE * 2 ** min(failures - 1, 16)) if problem else interval

    def _poll(self) -> str:
        """Poll once and apply a changed strategy. Return the fault in words, or an empty string."""
        try:
            strategy = parse_strategy(self._ask())
            if strategy != self._strategy:
                self._apply(strategy)
                self._strategy = strategy
        except StrategyError as error:
            return f"answers with no strategy ({error})"
        except TooLongAnswerError:
            return "answers without end"
        except UNREACHABLE as error:
            return f"cannot be reached ({type(error).__name__})"
        except Exception:
            _logger.exception("%s: polling strategies failed", self._settings.service_name)
            return "could not be asked (an error of the library)"
        return ""

    def _ask(self) -> bytes:
        settings, timeout = self._settings, min(_TIMEOUT_SECONDS, self._settings.strategies_poll_seconds)
        url = f"{settings.strategies_url}?{urlencode({'service': settings.service_name})}"
        headers = basic(settings.strategies_user, settings.token)
        with closing(self._session.request("GET", url, headers=headers, seconds=timeout)) as response:
            if response.status != _OK:
                raise StrategyError(f"HTTP {response.status}")
            return read_answer(response.stream(CHUNK_BYTES), timeout, _LONGEST_ANSWER)

    def _say(self, problem: str) -> None:
        state = problem.partition(" (")[0]  # how a server cannot be reached differs from time to time
        if state == self._said or (not state and self._said is None):
            self._said = state
            return
        self._said = state
        place = (self._settings.service_name, self._settings.strategies_url)
        if not problem:
            _logger.info("%s: the strategy server %s answers again", *place)
        else:
            kept = "the last strategy stays" if self._strategy else "the head ratio holds"
            _logger.warning("%s: the strategy server %s %s; %s", *place, problem, kept)
