"""Privacy: the registry of attributes that leave the process, and the redaction of everything else.

``attribute`` has the types of a declaration, ``declarations`` the library's own, ``registry`` those of a process. ``names`` reduces names
and paths to code, ``rules`` searches values for personal data and secrets, and ``policy`` applies all of them to spans.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
