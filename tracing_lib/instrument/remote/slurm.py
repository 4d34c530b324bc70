"""A client of SLURM's commands: spans with low-cardinality names, the job's number, and the trace handed on to the job.

There is no standard client library; the commands are the interface that every site has. ``TRACEPARENT`` reaches the batch script by
its environment, so that what runs there, in whatever language, can continue the trace.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from tracing_lib.base.errors import SlurmError, explain
from tracing_lib.instrument.remote.calls import carried_environment, client_span
from tracing_lib.instrument.source import TracerSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import Span, TracerProvider

JOB_ID: Final = "virtengine.slurm.job_id"
CLUSTER: Final = "virtengine.slurm.cluster"
STATE: Final = "virtengine.slurm.state"

_EXPORT: Final = "--export"
_STATE: Final = re.compile(r"\bJobState=([A-Z_]+)")
_NOT_THERE: Final = "the command, on PATH"


class SlurmClient:
    """Submits, watches, finds and cancels jobs by ``sbatch``, ``scontrol``, ``squeue`` and ``scancel``.

    ``prefix`` goes before each command, such as ``("ssh", "login1")`` or a wrapper. ``timeout_seconds`` limits each command.
    ``environment`` is added to the commands' own (``SLURM_CONF``). Spans go to ``tracer_provider``, by default the global one.
    """

    def __init__(
        self,
        *,
        prefix: Sequence[str] = (),
        timeout_seconds: float = 30.0,
        environment: Mapping[str, str] | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        self._prefix = tuple(prefix)
        self._timeout = timeout_seconds
        self._environment = dict(environment or {})
        self._source = TracerSource("tracing_lib.instrument.remote.slurm", tracer_provider)

    def submit(self, script: str, *, options: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> int:
        """Submit a batch script, given as text, and return the job's number. Span ``sbatch``.

        ``options`` are sbatch's, as ``--name=value``; ``environment`` is the job's, beside that of this process. ``TRACEPARENT`` is in
        it whatever ``--export`` says. Raises ``SlurmError`` when sbatch is missing, refuses, or takes longer than ``timeout_seconds``.
        """
        with client_span(self._source, "sbatch", {}) as span:
            context = carried_environment()
            command = ["sbatch", "--parsable", *_exporting(options, tuple(context))]
            answer = self._run(command, span, {**(environment or {}), **context}, script).strip().split(";")
            if not answer[0].isdigit():
                raise SlurmError(explain("sbatch", "answered with something that is no job number", "a number", "look at sbatch by hand"))
            span.set_attribute(JOB_ID, answer[0])
            if len(answer) > 1:
                span.set_attribute(CLUSTER, answer[1])
            return int(answer[0])

    def state(self, job_id: int) -> str:
        """Return the state of a job as SLURM names it, such as ``PENDING`` or ``COMPLETED``. Span ``scontrol show job``.

        Raises ``SlurmError`` as ``submit`` does, and for a job that the controller no longer knows (``MinJobAge``, 5 minutes by default).
        """
        with client_span(self._source, "scontrol show job", {JOB_ID: str(job_id)}) as span:
            found = _STATE.search(self._run(["scontrol", "--oneliner", "show", "job", str(job_id)], span))
            if found is None:
                raise SlurmError(explain("scontrol show job", "did not tell a state", "JobState=…", "look at scontrol by hand"))
            span.set_attribute(STATE, found[1])
            return found[1]

    def find(self, name: str) -> list[int]:
        """Return the numbers of the jobs of that name that the controller knows, the oldest first. Span ``squeue``.

        For who does not know whether an earlier ``submit`` with ``--job-name`` came through. Raises ``SlurmError`` as ``submit`` does.
        """
        with client_span(self._source, "squeue", {}) as span:
            listed = self._run(["squeue", "--noheader", "--states=all", "--format=%A", f"--name={name}"], span)
            return sorted({int(number) for number in listed.split()})

    def cancel(self, job_id: int) -> None:
        """Cancel a job. Span ``scancel``. Raises ``SlurmError`` as ``submit`` does."""
        with client_span(self._source, "scancel", {JOB_ID: str(job_id)}) as span:
            self._run(["scancel", str(job_id)], span)

    def _run(self, command: list[str], span: Span, environment: Mapping[str, str] | None = None, text: str | None = None) -> str:
        name = command[0]
        own = {**os.environ, **self._environment, **(environment or {})}
        try:
            done = subprocess.run(
                [*self._prefix, *command], input=text, env=own, capture_output=True, text=True, timeout=self._timeout, check=False
            )
        except FileNotFoundError:
            raise SlurmError(explain(name, "is not there", _NOT_THERE, "install slurm-client, or give SlurmClient(prefix=...)")) from None
        except subprocess.TimeoutExpired:
            wrong = f"took longer than {self._timeout:g} s"
            raise SlurmError(explain(name, wrong, "an answer of the controller", "look whether slurmctld runs: scontrol ping")) from None
        if done.returncode:
            span.set_attribute("virtengine.error.code", f"exit_{done.returncode}")
            wrong = f"ended with status {done.returncode}"
            # Its output is left out: it quotes options and script, which are the customer's.
            raise SlurmError(explain(name, wrong, "status 0", f"run {name} by hand with the same options, to see what it says"))
        return done.stdout


def _exporting(options: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return sbatch's options with the context's variables in ``--export``, which would otherwise keep them from the job.

    Without the option everything is exported; ``NIL`` stays, because it asks for no environment at all.
    """
    listed = list(options)
    for position, option in enumerate(listed):
        if option == _EXPORT and position + 1 < len(listed):
            listed[position + 1] = _with_names(listed[position + 1], names)
        elif option.startswith(_EXPORT + "="):
            listed[position] = f"{_EXPORT}={_with_names(option.partition('=')[2], names)}"
    return listed


def _with_names(exported: str, names: Sequence[str]) -> str:
    if exported in {"ALL", "NIL"} or not names:
        return exported
    return ",".join(names if exported == "NONE" else [exported, *names])
