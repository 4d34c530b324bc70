"""Errors that the library raises, and the form of their messages: place, fault, correct value, next step."""

from __future__ import annotations


def explain(place: str, wrong: str, right: str, then: str) -> str:
    """Return the message of an error: the place, what is wrong there, what would be right, and the next step."""
    return f"{place}: {wrong}. Wanted: {right}. Next: {then}"


class ContractError(ValueError):
    """The outputs of a tracing stack cannot be used.

    The message names the place and the field, and never the value of a secret.
    """


class SettingsError(Exception):
    """The tracing of this service cannot be configured with these settings.

    It is not a ``ValueError``, because pydantic would wrap one that is raised during validation.
    """


class AlreadyConfiguredError(RuntimeError):
    """Tracing was configured before in this process, with other settings or by other code.

    OpenTelemetry accepts one global tracer provider for the life of a process.
    """


class PrivacyError(ValueError):
    """A declaration of attributes or of privacy rules cannot be used."""


class JobTokenError(ValueError):
    """A string is not a token of a job's context. The message does not contain the string."""


class SlurmError(RuntimeError):
    """A SLURM command failed. The message has its exit status, and not its output, which quotes the user's script."""
