"""What the services' spans tell: which belong together, and what links to what."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.tracing_lib.receivers import attributes
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.tracing_lib.receivers import Received

ORDER_ID = "virtengine.order.id"


class Spans:
    """The spans that a collector of the test has received."""

    def __init__(self, received: Received) -> None:
        self._received = received

    def find(self, service: str, name: str, **wanted: object) -> list[Span]:
        """Those of a service, of a name, with these attributes (``order_id`` for ``virtengine.order.id``), by start."""
        keys = {ORDER_ID if key == "order_id" else key: value for key, value in wanted.items()}
        found = [
            span
            for resource, span in self._received.spans
            if resource["service.name"] == service and span.name == name and keys.items() <= attributes(span.attributes).items()
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def one_of_trace(self, other: Span, service: str, name: str) -> Span:
        """The only one of a service and a name in the trace of a span, once it has arrived. Earlier tests have traces of their own."""

        def there() -> list[Span]:
            return [span for span in self.find(service, name) if span.trace_id == other.trace_id]

        self.wait(lambda: bool(there()), f"{service} {name}")
        (found,) = there()
        return found

    def one(self, service: str, name: str, **wanted: object) -> Span:
        """The only one of these, once it has arrived."""
        self.wait(lambda: bool(self.find(service, name, **wanted)), f"{service} {name} {wanted}")
        found = self.find(service, name, **wanted)
        assert len(found) == 1, f"{len(found)} spans {service} {name} {wanted}"
        return found[0]

    def wait(self, there: Callable[[], bool], what: str) -> None:
        """Wait until spans have arrived, as long as any arrive."""

        def named() -> str:
            names = {f"{resource['service.name']} {span.name}" for resource, span in self._received.spans}
            return f"{what} among {sorted(names)}"

        until(there, named, progress=lambda: len(self._received.spans))

    def assert_tree(self, root: Span, expected: str) -> None:
        """The trace below a span is this, once all services have sent theirs."""
        expected = textwrap.dedent(expected).strip()
        until(
            lambda: self.tree(root) == expected,
            lambda: f"the tree\n{expected}\nwhich is\n{self.tree(root)}",
            progress=lambda: self.tree(root),
        )

    def tree(self, root: Span) -> str:
        """The trace below a span: service, name, ``!`` for an error, ``~> NAME`` for each link; what is repeated stands once."""
        everything = self._received.spans
        names = {span.span_id: span.name for _, span in everything}

        def lines(span: Span, service: object, depth: int) -> list[str]:
            links = ", ".join(sorted({names.get(link.span_id, "elsewhere") for link in span.links}))
            failed = " !" if span.status.code == Status.STATUS_CODE_ERROR else ""
            made = [f"{'  ' * depth}{service}: {span.name}{failed}{f' ~> {links}' if links else ''}"]
            children = [(each, of["service.name"]) for of, each in everything if each.parent_span_id == span.span_id]
            before: list[str] = []
            for child, of in sorted(children, key=lambda each: each[0].start_time_unix_nano):
                if (below := lines(child, of, depth + 1)) != before:
                    made += below
                before = below
            return made

        service = next(resource["service.name"] for resource, span in everything if span is root or span.span_id == root.span_id)
        return "\n".join(lines(root, service, 0))
