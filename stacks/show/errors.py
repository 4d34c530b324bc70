"""Errors of reading stored traces."""

from __future__ import annotations


class QueryError(Exception):
    """The query server could not be reached, refused the request, or sent a response that is not a trace."""


class QueryRefusedError(QueryError):
    """A query that the server understood and does not answer (HTTP 4xx)."""


class TraceNotFoundError(QueryError):
    """The query server does not have the trace, or not yet."""


def first_line(error: QueryError) -> str:
    """Return the first line of an error: the place and what is wrong, without what would be right and the next command."""
    return str(error).partition("\n")[0]
