"""Log records lead to their trace and hold nothing private."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import queue
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from opentelemetry import trace

from tracing_lib.base.fingerprints import fingerprint, fingerprint_of_text, qualified_type, report
from tracing_lib.logs import JsonFormatter, PrivateEvent, TextFormatter, TraceContextFilter, add_trace_context, configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracing_lib.testing.kit import RecordedTraces

JANE = "Jane Doe"


class Log:
    """A logger of one test, and the lines that it wrote."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(formatter)
        handler.addFilter(TraceContextFilter())
        self.logger = logging.Logger("virtengine.market")  # noqa: LOG001  one that nobody else configures
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text.splitlines()[-1])
        return found


@pytest.fixture
def log() -> Log:
    return Log(JsonFormatter(service_name="market"))


def test_a_record_holds_the_ids_of_its_span_and_none_outside_of_one(log: Log, traces: RecordedTraces) -> None:
    with traces.provider.get_tracer("t").start_as_current_span("bid") as span:
        log.logger.info("bidding")
    context = span.get_span_context()
    ids = (f"{context.trace_id:032x}", f"{context.span_id:016x}", "01")
    assert (log.last["trace_id"], log.last["span_id"], log.last["trace_flags"]) == ids
    log.logger.info("idle")
    assert not {"trace_id", "span_id", "trace_flags"} & set(log.last)


def test_own_formats_find_the_fields_inside_and_outside_of_a_span(traces: RecordedTraces) -> None:
    log = Log(logging.Formatter("%(trace_id)s|%(span_id)s|%(trace_flags)s|%(message)s"))
    log.logger.info("outside")
    with traces.provider.get_tracer("t").start_as_current_span("bid"):
        log.logger.info("inside")
    assert log.text.splitlines() == ["|||outside", f"{1:032x}|{1:016x}|01|inside"]


def test_a_queue_between_threads_keeps_the_ids_of_who_logged(traces: RecordedTraces) -> None:
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(TraceContextFilter())
    logger = logging.Logger("queued")  # noqa: LOG001  as above
    logger.addHandler(handler)
    with traces.provider.get_tracer("t").start_as_current_span("bid"):
        logger.info("bidding")
    assert JsonFormatter().fields(records.get())["trace_id"] == f"{1:032x}"


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("order %s of %s", "order-7", JANE), "order order-7 of *"),
        (("%d units at %.2f", 3, 0.5), "3 units at 0.50"),
        (("%r", JANE), "*"),
        (("%(order)s %(who)s", {"order": "order-7", "who": JANE}), "order-7 *"),
        (("state %s", "doe"), "state *"),
        (("state %s", "failed"), "state failed"),
        (("%s", object()), "<object>"),
        (("wrote to jane.doe@example.org",), "wrote to ****"),
        (("%d", JANE), "%d"),
        (("100 % of it",), "100 % of it"),
    ],
)
def test_an_argument_is_written_only_where_it_is_no_text(log: Log, arguments: tuple[Any, ...], written: str) -> None:
    log.logger.info(*arguments)
    assert log.last["message"] == written


def test_an_error_in_a_log_leads_to_the_span_that_failed(log: Log, traces: RecordedTraces) -> None:
    from tracing_lib.instrument.jobs import consume

    def work() -> None:
        with consume("provision", None):
            raise TimeoutError(JANE)

    try:
        work()
    except TimeoutError:
        log.logger.exception("the job failed")
    span = traces.span("process provision")
    assert span.context is not None
    assert log.last["error.trace_id"] == f"{span.context.trace_id:032x}"
    assert log.last["error.span_id"] == f"{span.context.span_id:016x}"
    assert log.last["error.type"] == "TimeoutError"
    recorded = (span.events[0].attributes or {})["virtengine.error.fingerprint"]
    assert log.last["virtengine.error.fingerprint"] == recorded
    assert "Jane" not in log.text


def test_added_fields_are_written_as_they_are_declared(log: Log) -> None:
    log.logger.info("x", extra={"virtengine.order.id": "order-7", "virtengine.account": JANE, "customer": JANE, "password": "id-7", "n": 3})
    assert log.last["virtengine.order.id"] == "order-7"
    assert log.last["virtengine.account"].startswith("h:")
    assert (log.last["customer"], log.last["n"]) == ("*", 3)
    assert "password" not in log.last


def test_a_line_for_people_has_the_same_fields(traces: RecordedTraces) -> None:
    log = Log(TextFormatter())
    with traces.provider.get_tracer("t").start_as_current_span("bid"):
        log.logger.warning("order %s", "order-7")
    assert log.text.rstrip().endswith(f"WARNING virtengine.market order order-7 trace_id={1:032x} span_id={1:016x} trace_flags=01")


def test_structlog_events_hold_the_ids_and_nothing_private(traces: RecordedTraces) -> None:
    written: list[dict[str, Any]] = []

    def keep(_logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401  structlog's own types
        written.append(dict(event))
        raise structlog.DropEvent

    processors: list[Any] = [structlog.processors.add_log_level, add_trace_context, PrivateEvent(), keep]
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=processors)
    with traces.provider.get_tracer("t").start_as_current_span("bid"):
        try:
            raise TimeoutError(JANE)  # noqa: TRY301  an error to log is what is wanted
        except TimeoutError:
            logger.exception("wrote to jane.doe@example.org", order="order-7", customer=JANE)
    fields = written[0]
    assert (fields["trace_id"], fields["span_id"], fields["trace_flags"]) == (f"{1:032x}", f"{1:016x}", "01")
    assert (fields["event"], fields["order"], fields["customer"]) == ("wrote to ****", "order-7", "*")
    assert (fields["error.type"], "Jane" in str(fields)) == ("TimeoutError", False)


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_one_call_configures_the_process_and_leaves_no_other_handler(root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    handler = configure_logging(stream=stream)
    assert root_logger.handlers == [handler]
    logging.getLogger("uvicorn.access").info('%s - "%s"', "10.0.0.7:4711", f"GET /orders?token={JANE}")
    assert json.loads(stream.getvalue())["message"] == '10.0.0.7:4711 - "*"'


def _raise(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301  so that it has a traceback
    except Exception as raised:  # noqa: BLE001  whatever was given
        return raised


def _elsewhere(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301  so that it has a traceback
    except Exception as raised:  # noqa: BLE001  whatever was given
        return raised


def test_a_fingerprint_is_that_of_type_and_place_and_nothing_else() -> None:
    one = fingerprint(_raise(ValueError("of Jane")))
    assert one == fingerprint(_raise(ValueError("of John")))
    assert one != fingerprint(_raise(KeyError("of Jane")))
    assert one != fingerprint(_elsewhere(ValueError("of Jane")))
    assert qualified_type(ValueError("never raised")) == "ValueError"


def _chained() -> Exception:
    try:
        try:
            raise KeyError("a")  # noqa: TRY301  an error with a cause is what is wanted
        except KeyError as cause:
            raise ValueError("b") from cause
    except ValueError as error:
        return error


@pytest.mark.parametrize("make", [lambda: _raise(ValueError("x")), _chained, lambda: ExceptionGroup("g", [_raise(KeyError("k"))])])
def test_a_recorded_stack_trace_gives_the_same_fingerprint_as_the_error(make: Callable[[], Exception], traces: RecordedTraces) -> None:
    from tracing_lib.testing.kit import RecordedTraces

    raw = RecordedTraces(private=False)
    error = make()
    with raw.provider.get_tracer("t").start_as_current_span("s") as span:
        span.record_exception(error)
    recorded = dict(raw.spans[0].events[0].attributes or {})
    assert fingerprint_of_text(str(recorded["exception.type"]), str(recorded["exception.stacktrace"])) == fingerprint(error)
    with traces.provider.get_tracer("t").start_as_current_span("s") as span:
        span.record_exception(error)
    assert dict(traces.spans[0].events[0].attributes or {}) == {
        "exception.type": recorded["exception.type"],
        "exception.escaped": "False",
        "virtengine.error.fingerprint": fingerprint(error),
    }


def test_a_report_keeps_the_span_in_which_it_was_first_made(traces: RecordedTraces) -> None:
    error = _raise(ValueError("of Jane"))
    with traces.provider.get_tracer("t").start_as_current_span("s"):
        first = report(error)
    assert report(error) is first
    assert str(first) == f"ValueError fingerprint={fingerprint(error)} trace_id={1:032x} span_id={1:016x}"
    assert error.__notes__ == [f"trace_id={1:032x} span_id={1:016x} fingerprint={fingerprint(error)}"]
    assert not trace.get_current_span().get_span_context().is_valid


ACCESS = """
import socket, sys, threading, urllib.request
import uvicorn
from tracing_lib import configure_logging
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})
configure_logging(level="INFO")
listener = socket.create_server(("127.0.0.1", 0))
options = {"log_config": None} if sys.argv[1] == "log_config=None" else {"access_log": False} if sys.argv[1] == "no access log" else {}
server = uvicorn.Server(uvicorn.Config(app, lifespan="off", **options))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
thread.start()
urllib.request.urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/orders/jane@example.com?token=s3cret").read()
server.should_exit = True
thread.join()
"""


@pytest.mark.parametrize(
    ("how", "written", "private"), [("default", True, False), ("log_config=None", True, True), ("no access log", False, True)]
)
def test_the_access_log_of_uvicorn_is_private_as_the_page_says(how: str, *, written: bool, private: bool) -> None:
    done = subprocess.run([sys.executable, "-c", ACCESS, how], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told = [line for line in (done.stdout + done.stderr).splitlines() if "HTTP/" in line]
    assert len(told) == written
    assert any(secret in line for line in told for secret in ("jane", "s3cret")) is not private


def test_the_keys_of_an_argument_are_not_written(log: Log) -> None:
    log.logger.info("balances %s", {JANE: 5, "jane.roe@example.org": 2})
    assert log.last["message"] == "balances <dict>"
    log.logger.info("balance %(balance)s", {"balance": 5})
    assert log.last["message"] == "balance 5"


def test_a_record_that_cannot_be_written_is_not_shown_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        with (tmp_path / "log").open("w", encoding="utf-8") as stream:
            configure_logging(stream=stream)
            root.info("sign \udcff from %s", JANE)
            root.info("sign %c", 0x110000)
        root.info("too late for %s", JANE)  # the stream is closed
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["sign ? from *", "sign %c"]
    assert capsys.readouterr().err == "a log record could not be written (ValueError)\n"
