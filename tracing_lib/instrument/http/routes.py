"""The template of the route that an ASGI application took, as Starlette and FastAPI leave it behind in the scope."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, MutableMapping

_DEEPEST: Final = 16


def template_of(scope: MutableMapping[str, Any], path: str, root_path: str) -> str | None:
    """Return the template (``/orders/{order_id}``), or None for what was not routed. ``path``, ``root_path``: as they were at first.

    Mounted applications leave the path that was asked for in ``root_path``, with what it holds of its customer; so where there was a
    mount, its template is found by matching again. Of a router that FastAPI includes, the route itself has no prefix.
    """
    included = (scope.get("fastapi") or {}).get("effective_route_context")
    route = scope.get("route") if included is None else included.starlette_route or included
    template = getattr(route, "path_format", None)
    if template is None:
        return None
    now = scope.get("root_path", "")
    first = root_path or scope.get("app_root_path", now)  # an application's own root path is in the scope since it was called
    if now == first and not _mounts(cast("Hashable", type(route))):
        return template if type(template) is str else str(template)
    return _through_mounts({**scope, "path": path, "root_path": first, "path_params": {}})


@functools.cache
def _mounts(kind: Hashable) -> bool:
    return hasattr(kind, "routes")


def _through_mounts(asked: dict[str, Any]) -> str | None:
    template, app = "", asked.get("router")
    for _ in range(_DEEPEST):
        found = next(((route, child) for route in _routes(app) for match, child in (route.matches(asked),) if match.name != "NONE"), None)
        if found is None:
            break
        app, child = found
        own = str(getattr(app, "path_format", ""))
        if not hasattr(app, "routes"):
            return template + own
        template += own.removesuffix("/{path}")
        asked.update(child)
    return template or None


def _routes(app: Any) -> Iterator[Any]:  # noqa: ANN401  an application, a mount, or middleware that keeps either as ``app``
    while not (routes := getattr(app, "routes", ())) and hasattr(app, "app"):
        app = app.app
    for route in routes or ():
        included = getattr(route, "effective_route_contexts", None)
        yield from (route,) if included is None else (each.starlette_route or each for each in included())
