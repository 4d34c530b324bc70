"""The template of the route that an ASGI application took, as Starlette and FastAPI leave it behind in the scope."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Hashable, MutableMapping

_MOUNTED: Final = "/{path}"
_DEEPEST: Final = 16


def template_of(scope: MutableMapping[str, Any], path: str, root_path: str) -> str | None:
    """Return the template (``/orders/{order_id}``), or None for what was not routed. ``path``, ``root_path``: as they were at first.

    Mounted applications leave the path that was asked for in ``root_path``, with what it holds of its customer; so where there was a
    mount, its template is found by matching again.
    """
    route = scope.get("route")
    template = getattr(route, "path_format", None)
    if template is None:
        return None
    if scope.get("root_path", "") == root_path and not _mounts(cast("Hashable", type(route))):
        return template if type(template) is str else str(template)
    return _through_mounts(scope, path, root_path)


@functools.cache
def _mounts(kind: Hashable) -> bool:
    return hasattr(kind, "routes")


def _through_mounts(scope: MutableMapping[str, Any], path: str, root_path: str) -> str | None:
    routes = getattr(scope.get("router"), "routes", ())
    asked = {**scope, "path": path, "root_path": root_path, "path_params": {}}
    template = ""
    for _ in range(_DEEPEST):
        found = next(((route, child) for route in routes for match, child in (route.matches(asked),) if match.name != "NONE"), None)
        if found is None:
            return template or None
        route, child = found
        own = str(getattr(route, "path_format", ""))
        if not hasattr(route, "routes"):
            return template + own
        template += own.removesuffix(_MOUNTED)
        asked.update(child)
        routes = route.routes
    return template or None
