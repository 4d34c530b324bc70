"""Privacy: the registry of attributes that leave the process, and the redaction of everything else.

``attribute`` has the types of a declaration, ``declarations`` the library's own, ``registry`` those of a process. ``names`` reduces names
and paths to code, ``rules`` searches values for personal data and secrets, and ``policy`` applies all of them to spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
    from tracing_lib.privacy.policy import PrivacyPolicy, policy_of
    from tracing_lib.privacy.registry import Registry, declare, declare_names, library_registry
else:
    __getattr__, __dir__ = offer(
        __name__,
        {
            "attribute": ("Attribute", "Privacy", "Shape"),
            "policy": ("PrivacyPolicy", "policy_of"),
            "registry": ("Registry", "declare", "declare_names", "library_registry"),
        },
    )

__all__ = ["Attribute", "Privacy", "PrivacyPolicy", "Registry", "Shape", "declare", "declare_names", "library_registry", "policy_of"]
