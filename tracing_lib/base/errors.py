"""The errors that a user of the library meets, all in one form: where, what was wrong, what would be right, what to do next."""

from __future__ import annotations


def explain(place: str, wrong: str, right: str, then: str) -> str:
    """Return one sentence per part, in the order in which a reader asks for them."""
    return f"{place}: {wrong}. Wanted: {right}. Next: {then}"


class ContractError(ValueError):
    """The outputs of a tracing stack cannot be used as they are.

    The message names the place and the field, and never holds the value of a secret.
    """


class SettingsError(Exception):
    """The tracing of this service cannot be configured as asked.

    Not a ``ValueError``: pydantic would take one raised while it validates for a failed check and wrap it.
    """


class AlreadyConfiguredError(RuntimeError):
    """Tracing was configured before in this process, with other settings, or by someone else.

    OpenTelemetry takes a global tracer provider once for the life of a process.
    """


class QueryError(Exception):
    """The query server could not be reached, refused, or answered with something that is no trace."""


class TraceNotFoundError(QueryError):
    """The query server answered and does not know the trace (yet)."""


class PrivacyError(ValueError):
    """A declaration of attributes or of privacy rules cannot be used as it is."""


class JobTokenError(ValueError):
    """A string is no token of a job's context. The message does not show it."""


class SlurmError(RuntimeError):
    """A SLURM command failed. Its message has the command's exit status and never its output, which quotes the user's script."""
