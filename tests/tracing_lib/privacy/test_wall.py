"""The wall's parts one by one: declarations, digests, names and paths, hosts, settings, and what happens when it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceState

from tests.tracing_lib.samples_of_spans import Source
from tracing_lib import SettingsError, TracingSettings
from tracing_lib.base.errors import PrivacyError
from tracing_lib.base.hosts import OWN_HOSTS, host_of, is_own
from tracing_lib.contract import PrivacyRule
from tracing_lib.contract.outputs import OperationTarget
from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
from tracing_lib.privacy.policy import PrivacyPolicy, policy_of
from tracing_lib.privacy.registry import Registry, library_registry
from tracing_lib.provider import configure, recorder
from tracing_lib.testing.kit import RecordedTraces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tests.tracing_lib.receivers import Received


def recorded_attributes() -> st.SearchStrategy[dict[str, str | int | float | bool]]:
    """Attributes as services record them: declared and not, in their shape and not."""
    keys = st.sampled_from(
        ["virtengine.order.id", "virtengine.account", "virtengine.success", "http.route", "server.address", "customer", "server.port"]
    )
    words = st.sampled_from(["order-7", "Jane Doe", "jane@example.org", "/orders/{id}", "market.svc", "virtengine1abc"])
    return st.dictionaries(keys, words | st.booleans() | st.integers(0, 70_000) | st.floats(0, 2))


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        (Attribute("customer name", "Name."), "is not a key of an attribute"),
        (Attribute("virtengine.Order", "An order."), "is not a key of an attribute"),
        (Attribute("virtengine.x", ""), "has no meaning"),
        (Attribute("virtengine.x", "X.", Shape.CHOICE), "0 values"),
        (Attribute("virtengine.x", "X.", values=frozenset({"a"})), "1 values"),
        (Attribute("virtengine.order.id", "Something else."), "has a declaration with another"),
    ],
)
def test_a_declaration_that_would_mislead_is_refused(attribute: Attribute, told: str) -> None:
    registry = Registry(library_registry())
    with pytest.raises(PrivacyError, match=told):
        registry.declare(attribute)


def test_a_declaration_can_be_repeated_and_is_not_seen_elsewhere() -> None:
    registry = Registry(library_registry())
    for _ in range(2):
        registry.declare(Attribute("virtengine.only_here.id", "An id."))
    assert registry.get("virtengine.only_here.id") is not None
    assert library_registry().get("virtengine.only_here.id") is None
    assert len(registry) == len(library_registry()) + 1


def test_every_declaration_has_a_meaning_and_none_names_a_person() -> None:
    for attribute in library_registry():
        assert attribute.meaning
        assert not attribute.key.startswith(("enduser.", "user.", "client.address")), attribute.key
        assert attribute.shape is not Shape.TEXT, attribute.key
        assert not PrivacyPolicy().rules.key(attribute.key), attribute.key


def test_digests_are_equal_under_one_key_and_differ_under_another() -> None:
    one, two, other = (PrivacyPolicy(hash_key=key) for key in (b"k" * 16, b"k" * 16, b"o" * 16))
    account = "virtengine1abc"
    assert one.attribute("virtengine.account", account) == two.attribute("virtengine.account", account)
    assert one.attribute("virtengine.account", account) != other.attribute("virtengine.account", account)
    assert PrivacyPolicy().hashed(account) != PrivacyPolicy().hashed(account), "without a key, each process has its own"


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("virtengine.market.v1.Msg/CreateOrder", "virtengine.market.v1.Msg/CreateOrder"),
        ("market.keeper.CreateOrder", "market.keeper.CreateOrder"),
        ("GET /orders/{order_id}", "GET /orders/{order_id}"),
        ("GET /orders/4711", "GET /orders/{}"),
        ("GET /customers/Jane", "GET /{}/{}"),
        ("GET", "GET"),
        ("publish order.created", "publish order.created"),
        ("SELECT orders", "SELECT orders"),
        ("place order", "place order"),
        ("order for Jane Doe", "order for * *"),
        ("hello world", "hello world"),
        ("Hello, world!", "Hello, world!"),
        ("warm up", "warm up"),
        ("in stock", "in stock"),
        ("Refill stock (nightly)", "Refill stock (nightly)"),
        ("don't panic", "don't panic"),
        ("load user_profile via OAuth2", "load user_profile via *"),
        ("oauth2 login, step 2 of 3", "oauth2 login, step 2 of 3"),
        ("call OpenAI API -> s3", "call OpenAI API -> s3"),
        ("überprüfe lager", "überprüfe lager"),
        ("order 550e8400-e29b-41d4-a716-446655440000", "order *"),
        ("job-550e8400-e29b-41d4", "job-*"),
        ("process_order_123456", "process_order_*"),
        ("Checkout 4711", "Checkout *"),
        ("lookup 0xdeadbeefdeadbeef12", "lookup *"),
        ("pay virtengine1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9", "pay *"),
        ("pay cosmos1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9", "pay *"),
        ("session V1StGXR8Z5jdHi6BmyT", "session *"),
        ("upload 01ARZ3NDEKTSV4RRFFQ69G5FAV", "upload *"),
        ("mail jane@example.org", "mail *"),
        ("Xanthe, Featherstone", "* *"),
        ("jane@example.org", "*"),
        ("", "*"),
        ("注文を作成", "注文を作成"),
        ("注文4711を作成", "注文*を作成"),
        ("注文Janeを作成（夜間）", "注文*を作成（夜間）"),
        ("注文jane@example.orgを作成", "注文*を作成"),
        ("注文 550e8400-e29b-41d4-a716-446655440000", "注文 *"),
        ("第3章　作成", "第3章 作成"),
        ("إنشاء طلب ٤٧١١", "إنشاء طلب *"),
        ("יצירת הזמנה", "יצירת הזמנה"),
        ("ऑर्डर बनाओ", "ऑर्डर बनाओ"),
        ("สร้างคำสั่งซื้อ", "สร้างคำสั่งซื้อ"),
        ("주문 생성", "주문 생성"),
        ("می‌خواهم سفارش", "می‌خواهم سفارش"),
        ("создать заказ", "создать заказ"),
        ("Создать заказ для Ивана", "Создать заказ для *"),
        ("ｊａｎｅ Ｊａｎｅ ４７１１", "ｊａｎｅ * *"),
        ("launch 🚀", "launch 🚀"),
        ("👩🏽‍💻 deploy", "👩🏽‍💻 deploy"),
        ("step 1️⃣", "step 1️⃣"),
        ("🚀Jane", "🚀*"),
        ("cafe\u0301 E\u0301mile J\u030cane", "café * *"),
        ("pay \u202eenaj", "pay *"),
        ("call sk-proj-abcDEF0123456789abcdef", "call *"),
        ("sk-learn pipeline", "sk-learn pipeline"),
        ("load wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "load *"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "*"),
        ("AKIAIOSFODNN7EXAMPLE", "*"),
        ("AuthenticationServiceV2/CreateAccountTok", "AuthenticationServiceV2/CreateAccountTok"),
        ("order 4711", "order *"),
        ("retry #4711", "retry *"),
        ("order a1b2c3", "order *"),
        ("order 12ab34", "order *"),
        ("order AB123", "order *"),
        ("born 1985-03-02", "born *"),
        ("born 02.03.85", "born *"),
        ("ping 8.8.8.8", "ping *"),
        ("ping de:ad:be:ef:1a:2b", "ping *"),
        ("call 170 123 45 67", "call * * * *"),
        ("call +49 170", "call * *"),
        ("ssn 123-45-6789", "ssn *"),
        ("mail @jane", "mail *"),
        ("load name=jane", "load *"),
    ],
)
def test_of_a_name_leaves_what_is_code(name: str, left: str) -> None:
    assert PrivacyPolicy().name(name) == left


SHORT_NUMBERS = (
    *("wait 30s", "encode h264", "step 1/3", "retry #2", "24h rollup", "ingest 10k rows", "1st pass", "call gpt-4o", "x86_64 build"),
    *(
        "top-10 query",
        "C++ build",
        "C# build",
        "upload v1.2",
        "upload v1.26.10",
        "build 2.20.0",
        "100 % done",
        "take 50%",
        "utf-8 to utf-16",
    ),
    *(
        "HTTP 404 page",
        "wait 100ms",
        "sha256 of part 3",
        "why ?",
        "a & b = c",
        "run at 10:30",
        "scale ~3x",
        "<10ms left",
        "30s",
        "#2",
        "C++",
    ),
)


@pytest.mark.parametrize("name", SHORT_NUMBERS)
def test_a_name_keeps_short_numbers_units_versions_and_signs(name: str) -> None:
    assert PrivacyPolicy().name(name) == name


@given(st.text())
def test_a_name_that_left_would_leave_again_as_it_is(name: str) -> None:
    policy = PrivacyPolicy()
    once = policy.name(name)
    assert policy.name(once) == once
    assert len(once) <= 160 + len(name.split())


class Odd:
    """A name that cannot be written, nor compared."""

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


class Unequal:
    """A name that fails in every memory."""

    def __hash__(self) -> int:
        raise RuntimeError


@pytest.mark.parametrize("fast", ["on", "off"])
def test_a_name_that_is_no_text_is_masked_and_fails_nobody(fast: str, http_receiver: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTENGINE_TRACING_FAST", fast)
    target = OperationTarget(service="portal", operation="x", traces_per_second=1000)
    names: list[Any] = [["x"], {}, None, b"/x", 7, Odd(), Unequal()]
    with configure(TracingSettings(service_name="portal", endpoint=http_receiver.url, targets=(target,)), set_global=False) as tracing:
        tracer = tracing.tracer("t")
        for name in names:
            with tracer.start_as_current_span(name), tracer.start_as_current_span(name) as span:
                span.update_name(name)
        tracer.start_span("a\ud800").end()
        left = tracer.start_span(["x"])  # type: ignore[arg-type]
    assert http_receiver.names == ["*"] * 15
    assert left.is_recording()
    assert tracing.shutdown().accounts.dropped == {}


ROUTES = (
    "/files",
    "/checkout",
    "/boom",
    "/oauth2/token",
    "/userProfiles/{id}",
    "/orders/{id}.json",
    "/api/v1/users",
    "/.well-known/openid-configuration",
    "/@{user}/files/{path}",
    "/søk/größen",
    "/",
    *("/a+b/{x}", "/c++/docs/{x}", "/map;v={x}", "/x!/{y}", "/it's/{x}", "/c&d/{x}", "/products('{id}')/name", "/a%20b/{x}"),
    *("/users/{user_id}/@followers", "/api/{x}|{y}", f"/{'a' * 61}"),
)


@pytest.mark.parametrize("tried", ["policy", "encoder"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_route_of_a_framework_is_kept_and_a_path_without_one_is_not(route: str, tried: str) -> None:
    source, policy = Source(), PrivacyPolicy(Registry(library_registry()))
    encoder = recorder()[1](policy)
    spans = [source.span(f"GET {route}", attributes=given) for given in ({}, {"http.route": route}, {"http.route": route})]

    def left(span: ReadableSpan) -> bool:
        if tried == "policy":
            return policy.span(span).name == f"GET {route}"
        return f"GET {route}".encode() in encoder.encode(span)[1]

    assert [left(span) for span in spans][1:] == [True, True]
    assert policy.span(source.span("GET /jane")).name == "GET /{}", "a path that nobody matched"


@pytest.mark.parametrize("tried", ["policy", "encoder"])
@pytest.mark.parametrize(
    ("given", "left"), [("/20240101/x", "/{}/x"), ("/deadbeef0123/{x}", "/{}/{x}"), ("/Pw!an$/x", "/{}/x"), ("/pw!a7$", "/{}")]
)
def test_of_a_route_with_an_identifier_the_name_keeps_what_the_attribute_keeps(given: str, left: str, tried: str) -> None:
    policy = PrivacyPolicy(Registry(library_registry()))
    span = Source().span(f"GET {given}", attributes={"http.route": given})
    if tried == "encoder":
        assert recorder()[1](policy).encode(span)[1].count(left.encode()) == 2
    sent = policy.span(span)
    assert (sent.name, (sent.attributes or {})["http.route"]) == (f"GET {left}", left)


def test_only_so_many_routes_are_learnt() -> None:
    registry = Registry()
    for number in range(2000):
        registry.learn_route(f"/of/{number}")
    assert (registry.knows_route("/of/1023"), registry.knows_route("/of/1024")) == (True, False)


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("url.full", "https://jane:pw@shop.example:8443/orders/4711?token=x#y", None),
        ("url.full", "https://shop.example:8443/orders/4711?token=x#y", "https://shop.example:8443/orders/{}"),
        ("url.path", "/customers/jane/orders", "/{}/{}/orders"),
        ("http.route", "/orders/{id}/Jane Doe", "/orders/{id}/{}"),
        ("http.route", "/orders/550e8400-e29b-41d4-a716-446655440000", "/orders/{}"),
        *(("http.route", route, route) for route in ROUTES),
        ("url.query", "token=x", None),
        ("error.type", "404", "404"),
        ("error.type", "market.EscrowError", "market.EscrowError"),
        ("server.address", "Jane Doe", None),
        ("server.address", "market.svc", "market.svc"),
        ("service.version", "1.2.3-rc1", "1.2.3-rc1"),
        ("virtengine.order.id", "order-7", "order-7"),
        ("virtengine.order.id", "jane", None),
        ("messaging.destination.name", ["orders", "Jane Doe"], ["orders"]),
        ("messaging.destination.name", {"of": "Jane"}, None),
        ("virtengine.success", True, True),
    ],
)
def test_of_an_attribute_leaves_what_has_its_shape(key: str, value: object, left: object) -> None:
    assert PrivacyPolicy().attribute(key, value) == left


@pytest.mark.parametrize(
    ("target", "host", "ours"),
    [
        ("http://localhost:4318/x", "localhost", True),
        ("https://market.virtengine.svc:443", "market.virtengine.svc", True),
        ("https://market.virtengine.svc.example.org", "market.virtengine.svc.example.org", False),
        ("dns:///chain.virtengine.svc.cluster.local:9090", "chain.virtengine.svc.cluster.local", True),
        ("127.0.0.1:9090", "127.0.0.1", True),
        ("http://[::1]:80/", "::1", True),
        ("ipv6:[::1]:9090", "::1", True),
        ("http://localhost@evil.example/", "evil.example", False),
        ("http://evil.example/localhost", "evil.example", False),
        ("http://LOCALHOST./", "localhost", True),
        ("svc", "svc", False),
        ("", "", False),
    ],
)
def test_a_host_is_ours_by_its_whole_name(target: str, host: str, ours: bool) -> None:  # noqa: FBT001  a case's expectation
    assert (host_of(target), is_own(target, OWN_HOSTS)) == (host, ours)


def test_settings_loosen_the_wall_only_where_they_say_so() -> None:
    environ = {
        "OTEL_SERVICE_NAME": "portal",
        "VIRTENGINE_TRACING_EXCEPTION_TEXT": "TRUE",
        "VIRTENGINE_TRACING_HASH_KEY": "0123456789abcdef",
        "VIRTENGINE_TRACING_OWN_HOSTS": "portal.example.org, *.internal",
    }
    settings = TracingSettings.from_environment(environ)
    assert settings.own_hosts == ("portal.example.org", "*.internal")
    assert "0123456789abcdef" not in repr(settings)
    policy = policy_of(settings)
    assert (policy.exception_text, policy.hashed("x")) == (True, PrivacyPolicy(hash_key=b"0123456789abcdef").hashed("x"))
    assert not policy_of(TracingSettings(service_name="portal")).exception_text
    rule = PrivacyRule(name="plate", matches="value", pattern="B-XY", meaning="Number plates.")
    assert policy_of(TracingSettings(service_name="portal", privacy=(rule,))).text("B-XY 1") == "**** 1"


@pytest.mark.parametrize(
    ("name", "value"), [("VIRTENGINE_TRACING_HASH_KEY", "too-short"), ("VIRTENGINE_TRACING_EXCEPTION_TEXT", "perhaps")]
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        TracingSettings.from_environment({"OTEL_SERVICE_NAME": "portal", name: value})
    assert name in str(refused.value)
    assert "too-short" not in str(refused.value)


def test_declared_attributes_leave_as_they_are_and_a_number_is_no_flag() -> None:
    traces, policy = RecordedTraces(private=False), PrivacyPolicy()
    tracer = traces.provider.get_tracer("t")
    tracer.start_span("place order", attributes={"virtengine.order.id": "order-7", "virtengine.success": True}).end()
    tracer.start_span("place order", attributes={"virtengine.order.id": "order-7", "virtengine.success": 1}).end()
    tracer.start_span("place order", attributes={"customer": "Jane"}).end()
    plain, numbered, private = traces.spans
    for _ in range(2):
        assert policy.span(plain).attributes == plain.attributes
        assert policy.span(numbered).attributes == {"virtengine.order.id": "order-7"}, "1 is equal to True and no flag"
        assert policy.span(private).attributes == {}


def test_a_link_leaves_with_its_ids_declared_attributes_and_no_foreign_state() -> None:
    traces, policy = RecordedTraces(private=False), PrivacyPolicy()
    tracer, bare = traces.provider.get_tracer("t"), SpanContext(1, 2, is_remote=True)
    said = SpanContext(1, 2, is_remote=True, trace_state=TraceState([("jane", "doe")]))
    role = {"virtengine.link.role": "sender"}
    for link in (Link(bare), Link(bare, {"customer": "Jane"}), Link(said), Link(bare, role)):
        tracer.start_span("place order", links=[link]).end()
    for span, expected in zip(traces.spans, ({}, {}, {}, role), strict=True):
        (left,) = policy.span(span).links
        assert (dict(left.attributes or {}), dict(left.context.trace_state), left.context.span_id) == (expected, {}, 2)


def test_of_a_list_among_the_attributes_the_refused_items_stay() -> None:
    traces, policy = RecordedTraces(private=False), PrivacyPolicy()
    traces.provider.get_tracer("t").start_span("place order", attributes={"messaging.destination.name": ["orders", "Jane Doe"]}).end()
    assert policy.span(traces.spans[0]).attributes == {"messaging.destination.name": ["orders"]}


def test_the_wall_leaves_the_recorded_span_as_it_was() -> None:
    traces = RecordedTraces(private=False)
    traces.provider.get_tracer("t").start_span("order for Jane", attributes={"customer": "Jane"}).end()
    before = traces.spans[0].to_json()
    PrivacyPolicy().span(traces.spans[0])
    assert traces.spans[0].to_json() == before
    assert Privacy("hash") is Privacy.HASH


@pytest.mark.parametrize(
    "token", ["DYw8jCTfwHNRJhhmFcbXvVDTqWMEVFBX6ZKUmG5CNSKK", "A1B2C3D4E5F60718293A4B5C6D7E8F90", "DE89370400440532013000"]
)
def test_a_status_that_begins_with_a_token_has_no_description(token: str) -> None:
    policy = PrivacyPolicy()
    for text in (token, f"{token}: refused"):
        assert policy.status(Status(StatusCode.ERROR, text)).description is None
    assert policy.status(Status(StatusCode.ERROR, "KeyError: jane")).description == "KeyError"
