"""Redaction of spans: the exported span is built from declared parts, and is not the recorded one with parts removed.

``PrivacyPolicy`` holds the redaction as pure functions; the export applies them to each span. They follow the registry of attributes,
and the privacy rules of the contract, which the collector's redaction applies again.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceState

from tracing_lib.base.conventions import LONGEST_NAME
from tracing_lib.base.fingerprints import fingerprint_of_text
from tracing_lib.privacy.attribute import Privacy, Shape
from tracing_lib.privacy.names import CODE, HOST, ID, IDENTIFYING, MASK, path, route, span_name, url
from tracing_lib.privacy.registry import Registry, library_registry
from tracing_lib.privacy.rules import MASKED, ValueRules, combined_rules
from tracing_lib.privacy.statements import shape
from tracing_lib.privacy.withheld import WithheldAttributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.util.types import AnyValue

    from tracing_lib.contract.outputs import PrivacyRule
    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.privacy.attribute import Attribute

_VERSION: Final = re.compile(r"v?[0-9][A-Za-z0-9.+_-]{0,31}|[0-9a-f]{7,40}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,12})?")
_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_FLAG: Final = re.compile(r"[Tt]rue|[Ff]alse")
_PATTERNS: Final = {Shape.ID: ID, Shape.CODE: CODE, Shape.NUMBER: _NUMBER, Shape.VERSION: _VERSION, Shape.FLAG: _FLAG, Shape.HOST: HOST}
_UNCHANGED: Final = _PATTERNS.keys() - {Shape.CODE}
_FLAGS: Final = frozenset({Shape.FLAG, Shape.TEXT})
_NUMBERS: Final = frozenset({Shape.NUMBER, Shape.ID, Shape.CODE, Shape.TEXT})
"""Shapes that allow numbers."""
_IDS_OR_WORDS: Final = frozenset({"k8s.namespace.name", "service.instance.id", "messaging.message.conversation_id"})
"""Identifiers that can be made of words, because a person chose them."""
_EXCEPTION_LIKE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.]{0,119})(?=: |$)")
_TRACE_STATE_KEYS: Final = frozenset({"ve", "ot"})
"""Keys of the trace state that leave the process: the library's own, and OpenTelemetry's sampling state."""
_TRACE_STATE_VALUE: Final = re.compile(r"[a-z]{1,3}:[0-9a-f.]{1,16}(;[a-z]{1,3}:[0-9a-f.]{1,16}){0,3}")
"""Short keys with numbers (OpenTelemetry specification, "TraceState: Probability Sampling")."""
_TEMPLATES: Final = ("http.route", "url.template", "messaging.destination.template")
_MESSAGE: Final = "exception.message"
_STACK: Final = "exception.stacktrace"
_REPLACED: Final = frozenset({_MESSAGE, _STACK})
"""Attributes that the fingerprint of the error stands for."""
_TYPE: Final = "exception.type"
_FINGERPRINT: Final = "virtengine.error.fingerprint"
_CACHED: Final = 4096
"""Entries of each memory. A full memory is emptied, so that it cannot grow with the input of users."""
_FEW: Final = 64
_LONGEST_TEXT: Final = 8192

_T = TypeVar("_T")
Scalar = bool | int | float | str


class PrivacyPolicy:
    """The parts of spans that leave the process, as pure functions of the recorded parts.

    ``registry`` holds the declarations; default: those of this process. ``rules`` are the privacy rules of a stack; the library's own
    apply in any case. ``hash_key`` is the key of the digests of the class ``HASH``: services that share it have equal digests for equal
    values; default: a random one for this process. ``exception_text`` also exports messages and stack traces of exceptions, masked.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        rules: Sequence[PrivacyRule] = (),
        *,
        hash_key: bytes | None = None,
        exception_text: bool = False,
    ) -> None:
        self.registry = library_registry() if registry is None else registry
        self.rules: ValueRules = combined_rules(rules)
        self.exception_text = exception_text
        self.withheld = WithheldAttributes(self.registry, self.rules)
        self._hash_key = hash_key or secrets.token_bytes(32)
        self._rewritten: Mapping[Shape, Callable[[str], str | None]] = {
            Shape.TEXT: self.text,
            Shape.STATEMENT: shape,
            Shape.URL: self._url,
            Shape.ROUTE: route,
            Shape.PATH: lambda value: path(value, self.registry),
        }
        self._shared: dict[int, tuple[object, object]] = {}
        self._names: dict[str, str] = {}
        # Keys whose string values leave unchanged if they match one pattern. Most keys are such.
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._version = self.registry.version

    @property
    def version(self) -> int:
        """Number of the declarations; it changes with each of them, and memories of earlier results are then void."""
        return self.registry.version

    # A value or key without a rule is never exported: every function ends in None or in a mask.

    def attribute(self, key: str, value: object) -> AnyValue:
        """Return the exported value of an attribute, or None when the attribute stays in the process."""
        if self._version != self.registry.version:
            self._forget()
        pattern = self._patterns.get(key)
        if pattern is not None and type(value) is str:
            return value if pattern.fullmatch(value) and not self.rules.found(value) else None
        declared = self.registry.get(key)
        if declared is None or declared.privacy is Privacy.DROP or self.rules.key(key):
            return None
        if declared.privacy is Privacy.KEEP and declared.shape in _UNCHANGED and key not in _IDS_OR_WORDS:
            self._patterns[key] = _PATTERNS[declared.shape]
        if isinstance(value, Scalar):
            return self._scalar(declared, value)
        if isinstance(value, list | tuple):
            kept = [self._scalar(declared, item) for item in value if isinstance(item, Scalar)]
            # A sequence of OTLP has one type, so a refused item is left out and not replaced by a text.
            return [item for item in kept if item is not None] or None
        return None

    def _scalar(self, declared: Attribute, value: Scalar) -> Scalar | None:
        if declared.privacy is Privacy.HASH:
            return self.hashed(str(value))
        if not isinstance(value, str):
            return self.number(declared.shape, value)
        fitted = self.fitted(declared, value)
        return None if fitted is None or (declared.shape is not Shape.TEXT and self.rules.found(fitted)) else fitted

    def number(self, shape: Shape, value: float) -> float | None:
        """Return the number if the shape allows numbers, else None: under another shape it could be a telephone number."""
        return value if shape in (_FLAGS if isinstance(value, bool) else _NUMBERS) else None

    def fitted(self, declared: Attribute, value: str) -> str | None:
        """Return the string in the declared shape, or None when it has another."""
        rewritten = self._rewritten.get(declared.shape)
        if rewritten is not None:
            return rewritten(value[:_LONGEST_TEXT])
        if declared.shape is Shape.CHOICE:
            return value if value in declared.values else None
        # Among codes are those of a status, such as 404 in error.type.
        if (declared.key in _IDS_OR_WORDS and CODE.fullmatch(value)) or (declared.shape is Shape.CODE and _SHORT_NUMBER.fullmatch(value)):
            return value
        return value if _PATTERNS[declared.shape].fullmatch(value) else None

    def _url(self, value: str) -> str | None:
        # The rules search the original, because url() lower-cases the host, in which a token would no longer match.
        clean = url(value, self.registry)
        return None if clean is None or self.rules.found(urlsplit(value).netloc) else clean

    def hashes(self, key: str) -> bool:
        """Whether the digest of an attribute is exported in place of its value."""
        declared = self.registry.get(key)
        return declared is not None and declared.privacy is Privacy.HASH

    def hashed(self, value: str) -> str:
        """Return the keyed digest of a value: ``h:`` and 16 hexadecimal digits of HMAC-SHA-256 (RFC 2104)."""
        return "h:" + hmac.digest(self._hash_key, value.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]

    def text(self, value: str) -> str:
        """Return free text with every match of a privacy rule masked, cut to 8,192 characters."""
        return self.rules.masked(value[:_LONGEST_TEXT])

    def name(self, value: object) -> str:
        """Return the name of a span or event, reduced to code by ``tracing_lib.privacy.names``; of one that is no text a mask."""
        if not isinstance(value, str):
            return MASK
        if self._version != self.registry.version:
            self._forget()
        known = self._names.get(value)
        if known is None:
            # Before, because a rule may need a word that becomes a mask, and after, because a declared name is no exception.
            known = self.rules.masked(span_name(self.rules.masked(value[:_LONGEST_TEXT]), self.registry))
            if len(self._names) >= _CACHED:
                self._names.clear()
            if len(value) <= LONGEST_NAME:
                self._names[value] = known
        return known

    def learn_routes(self, name: object, attributes: Mapping[str, object]) -> None:
        """Keep the route in the name of a span whose attributes say that it is one; a path that nobody matched has no such attribute."""
        tail = name.partition(" ")[2] if isinstance(name, str) else ""
        known = not tail.startswith("/") or self.registry.knows_route(tail)
        if not known and any(attributes.get(key) == tail for key in _TEMPLATES) and not self.rules.found(tail):
            self.registry.learn_route(route(tail))

    def _forget(self) -> None:
        """Empty the memories, because the declarations have changed."""
        self._version = self.registry.version
        for memory in (self._names, self._shared, self._patterns):
            memory.clear()

    def attributes(self, recorded: Mapping[str, AnyValue] | None, dropped: int = 0) -> Mapping[str, AnyValue]:
        """Return the exported attributes of a span or a link, with the number of those that are not exported as ``dropped``.

        ``dropped``: those that were dropped when they were recorded, where ``recorded`` does not tell.
        """
        return self._bounded(recorded, self._leaving(recorded), dropped)

    def _leaving(self, recorded: Mapping[str, AnyValue] | None) -> dict[str, AnyValue]:
        if self._version != self.registry.version:
            self._forget()
        leaving: dict[str, AnyValue] = {}
        for key, value in (recorded or {}).items():
            kept = self.attribute(key, value)
            if kept is not None:
                leaving[key] = kept
            elif key not in _REPLACED:
                self.withheld.add(key, value)
        return leaving

    @staticmethod
    def _bounded(recorded: Mapping[str, AnyValue] | None, leaving: dict[str, AnyValue], dropped: int = 0) -> Mapping[str, AnyValue]:
        before = recorded.dropped if isinstance(recorded, BoundedAttributes) else dropped
        return bounded(leaving, before + sum(key not in leaving and key not in _REPLACED for key in recorded or ()))

    def event(self, event: Event) -> Event:
        """Return the exported form of an event. The text of an exception is replaced by the fingerprint of the error."""
        recorded = event.attributes or {}
        kept = self._leaving(recorded)
        if _TYPE in recorded and _FINGERPRINT not in kept:
            kept[_FINGERPRINT] = fingerprint_of_text(str(recorded[_TYPE]), str(recorded.get(_STACK, "")))
        kept.update(self.exception(recorded))
        return Event(self.name(event.name), self._bounded(recorded, kept), event.timestamp)

    def exception(self, recorded: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
        """Return message and stack trace of a recorded exception as masked text, or nothing without ``exception_text``."""
        if not self.exception_text:
            return {}
        return {key: self.text(str(recorded[key])) for key in (_MESSAGE, _STACK) if key in recorded}

    def link(self, link: Link) -> Link:
        """Return the exported form of a link."""
        if not link.attributes and not link.context.trace_state:
            return link
        return Link(self.context(link.context), self.attributes(link.attributes))

    def status(self, status: Status) -> Status:
        """Return the exported form of a status.

        Its description is reduced to the type of the error, or with ``exception_text`` to masked text.
        """
        description = status.description
        if status.status_code is not StatusCode.ERROR or not description:
            return Status(status.status_code)
        if self.exception_text:
            return Status(status.status_code, self.text(description))
        # The name of a type has a capital or a dot; a single lower-case word can begin any sentence.
        found = _EXCEPTION_LIKE.match(description)
        kept = found[0] if found and (found[0] != found[0].lower() or "." in found[0]) else None
        # A message that begins with a token has a capital as well.
        private = kept is None or IDENTIFYING.search(kept) or self.rules.found(kept)
        return Status(status.status_code, None if private else kept)

    def context(self, context: SpanContext) -> SpanContext:
        """Return a span context with the trace state of known vendors only."""
        if not context.trace_state:
            return context
        kept = [(key, value) for key, value in context.trace_state.items() if self.trace_state(key, value)]
        return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags, TraceState(kept))

    def trace_state(self, key: str, value: str) -> bool:
        """Whether an entry of the trace state is exported. It came with a request, so any sender may have written it."""
        return key in _TRACE_STATE_KEYS and bool(_TRACE_STATE_VALUE.fullmatch(value)) and not self.rules.found(value)

    def resource(self, resource: Resource) -> Resource:
        """Return a resource with its declared attributes."""
        return self._once(resource, lambda found: Resource(self._leaving(found.attributes), found.schema_url))

    def scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        """Return an instrumentation scope with its name, version and attributes as far as they may be exported."""
        return None if scope is None else self._once(scope, self._scope)

    def _once(self, recorded: _T, redact: Callable[[_T], _T]) -> _T:
        """Return the exported form of an object that many spans share; it is made once."""
        known = self._shared.get(id(recorded))
        if known is None or known[0] is not recorded:
            if len(self._shared) >= _FEW:
                self._shared.clear()
            # By identity, and with the object itself, so that its id is not given to another one.
            known = self._shared[id(recorded)] = recorded, redact(recorded)
        return cast("_T", known[1])

    def _scope(self, scope: InstrumentationScope) -> InstrumentationScope:
        name = scope.name if CODE.fullmatch(scope.name) and not self.rules.found(scope.name) else MASKED
        version = scope.version if scope.version and _VERSION.fullmatch(scope.version) and not self.rules.found(scope.version) else None
        return InstrumentationScope(name, version, None, self._leaving(scope.attributes))

    def span(self, span: ReadableSpan) -> ReadableSpan:
        """Return the exported form of a span. The recorded span is not changed."""
        self.learn_routes(span.name, span.attributes or {})
        return rebuilt(
            span,
            name=self.name(span.name),
            context=None if span.context is None else self.context(span.context),
            parent=None if span.parent is None else self.context(span.parent),
            resource=self.resource(span.resource),
            attributes=self.attributes(span.attributes, span.dropped_attributes),
            events=[self.event(event) for event in span.events],
            links=[self.link(link) for link in span.links],
            status=self.status(span.status),
            instrumentation_scope=self.scope(span.instrumentation_scope),
        )


_PARTS: Final = ("name", "context", "parent", "resource", "events", "links", "kind", "status", "start_time", "end_time")


def rebuilt(span: ReadableSpan, **changed: Any) -> ReadableSpan:  # noqa: ANN401  of many types
    """Return a span with some parts changed, which knows like the given one how many attributes, events and links were dropped."""
    parts: dict[str, Any] = {part: getattr(span, part) for part in _PARTS}
    parts["attributes"] = bounded(span.attributes or {}, span.dropped_attributes)
    parts |= {"instrumentation_scope": span.instrumentation_scope, **changed}
    for part, dropped in (("events", span.dropped_events), ("links", span.dropped_links)):
        if dropped:
            parts[part] = BoundedList.from_seq(None, parts[part])
            parts[part].dropped = dropped
    return ReadableSpan(**parts)


def bounded(attributes: Mapping[str, AnyValue], dropped: int) -> Mapping[str, AnyValue]:
    """Return attributes with the number of those that were dropped, where the SDK looks for it."""
    if not dropped:
        return attributes
    kept = BoundedAttributes(attributes=attributes)
    kept.dropped = dropped
    return kept


def policy_of(settings: TracingSettings, registry: Registry | None = None) -> PrivacyPolicy:
    """Return the policy of a service's settings; ``registry`` as in ``PrivacyPolicy``."""
    key = None if settings.hash_key is None else settings.hash_key.get_secret_value().encode()
    return PrivacyPolicy(registry, settings.privacy, hash_key=key, exception_text=settings.exception_text)
