"""Jobs across restarts and days, and traces that a transaction's hash leads to."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tracing_lib.base.errors import JobTokenError
from tracing_lib.contract.settings import TracingSettings
from tracing_lib.instrument.jobs import JobContext, consume, continued, produce, transaction
from tracing_lib.propagation.ids import transaction_span
from tracing_lib.provider import configure
from tracing_lib.testing.kit import RecordedTraces, attributes_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tracing_lib.receivers import Received

HASH = hashlib.sha256(b"a transaction").hexdigest().upper()


def test_a_job_is_done_in_a_trace_of_its_own_that_leads_to_who_asked_for_it(traces: RecordedTraces) -> None:
    tracer = trace.get_tracer("portal")
    with tracer.start_as_current_span("POST /orders"), produce("provision", attributes={"virtengine.job.id": "job-7"}) as job:
        assert job is not None
        token = job.token
    with consume("provision", token, attempt=1), tracer.start_as_current_span("allocate"):
        pass
    traces.assert_tree(
        """
        POST /orders
          create provision (producer) virtengine.job.id=job-7
        process provision (consumer) virtengine.job.attempt=1 ~> create provision
          allocate
        """,
        attributes=["virtengine.job.id", "virtengine.job.attempt"],
    )
    made, done = traces.span("create provision"), traces.span("process provision")
    assert made.context is not None
    assert done.context is not None
    assert made.context.trace_id != done.context.trace_id


def test_the_link_survives_the_process_that_made_it(traces: RecordedTraces, tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    program = """
import sqlite3, sys
from tracing_lib.instrument.jobs import produce
from tracing_lib.testing.kit import RecordedTraces
provider = RecordedTraces().provider
with produce("another", provider=provider):
    pass
with produce("provision", provider=provider) as job:
    with sqlite3.connect(sys.argv[1]) as rows:
        rows.execute("create table jobs (token text)")
        rows.execute("insert into jobs values (?)", (job.token,))
"""
    subprocess.run([sys.executable, "-c", program, str(database)], check=True)
    rows = sqlite3.connect(database)
    (token,) = rows.execute("select token from jobs").fetchone()
    rows.close()
    with consume("provision", token):
        pass
    link = traces.span("process provision").links[0]
    assert (link.context.trace_id, link.context.span_id, link.context.is_remote) == (2, 2, True)
    assert traces.tree() == "process provision (consumer) ~> elsewhere"


def test_the_time_a_job_waited_is_told_in_seconds(traces: RecordedTraces) -> None:
    two_days_ago = JobContext(1, 2, sampled=True, made_at=time.time() - 172_800)
    with consume("provision", two_days_ago.token):
        pass
    waited = attributes_of(traces.span("process provision"))["virtengine.job.wait_seconds"]
    assert isinstance(waited, float)
    assert 172_799 < waited < 172_830


@given(
    st.builds(
        JobContext,
        trace_id=st.integers(1, 2**128 - 1),
        span_id=st.integers(1, 2**64 - 1),
        sampled=st.booleans(),
        made_at=st.integers(0, 2**40 - 1).map(lambda hundredths: hundredths / 100),
    )
)
def test_a_token_gives_back_what_it_was_made_of(job: JobContext) -> None:
    again = JobContext.from_token(job.token)
    assert (again.trace_id, again.span_id, again.sampled) == (job.trace_id, job.span_id, job.sampled)
    assert abs(again.made_at - job.made_at) < 0.011
    assert re.fullmatch(r"[A-Za-z0-9._-]{44}", job.token)


@given(st.text() | st.binary().map(lambda raw: "ve1." + raw.hex()))
def test_what_is_no_token_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(JobTokenError) as refused:
        JobContext.from_token(text)
    assert len(text) < 8 or text not in str(refused.value)


def test_a_job_whose_token_was_damaged_is_done_all_the_same(traces: RecordedTraces) -> None:
    for broken in ("ve1.", "ve1.AAAA", "", "jane@example.org", None, "ve1." + "A" * 40):
        with consume("provision", broken):
            pass
    assert traces.tree() == "\n".join(["process provision (consumer)"] * 6)


def test_a_failing_job_is_the_error_of_its_span_and_leads_there(traces: RecordedTraces) -> None:
    with pytest.raises(TimeoutError) as caught, consume("provision", None):
        raise TimeoutError("of Jane Doe")
    span = traces.span("process provision")
    assert span.status.status_code is StatusCode.ERROR
    assert span.context is not None
    assert f"trace_id={span.context.trace_id:032x}" in caught.value.__notes__[0]
    assert "Jane" not in str([span.attributes, span.status.description, [event.attributes for event in span.events]])
    assert [event.name for event in span.events] == ["exception"]


def test_who_knows_a_transactions_hash_knows_its_trace(traces: RecordedTraces) -> None:
    with trace.get_tracer("portal").start_as_current_span("broadcast"):
        link = JobContext.of_transaction(HASH.lower()).link()
    with transaction("execute", "0x" + HASH), trace.get_tracer("keeper").start_as_current_span("Keeper.CreateOrder"):
        pass
    with trace.get_tracer("daemon").start_as_current_span("bid", links=[link]):
        pass
    assert traces.tree() == "broadcast\nexecute\n  Keeper.CreateOrder\nbid ~> execute"
    span = traces.span("execute")
    assert span.context is not None
    expected = hashlib.sha256(b"virtengine/transaction\0" + bytes.fromhex(HASH)).digest()
    assert (span.context.trace_id, span.context.span_id) == (int.from_bytes(expected[:16], "big"), int.from_bytes(expected[16:24], "big"))
    assert attributes_of(span) == {"virtengine.tx.hash": HASH}
    assert JobContext.of_transaction(bytes.fromhex(HASH)).trace_id == span.context.trace_id


def test_work_that_belongs_to_the_producers_trace_goes_on_in_it(traces: RecordedTraces) -> None:
    with produce("transaction") as job:
        assert job is not None
    with continued(job.token):
        with trace.get_tracer("chain").start_as_current_span("tell"):
            pass
        with transaction("execute", HASH):
            pass
    assert not trace.get_current_span().get_span_context().is_valid
    traces.assert_tree(
        """
        create transaction (producer)
          tell
        execute ~> create transaction
        """
    )


@pytest.mark.parametrize("job", [None, "", "no token"])
def test_without_a_token_that_can_be_read_work_stays_in_the_trace_that_it_is_in(traces: RecordedTraces, job: str | None) -> None:
    tracer = trace.get_tracer("chain")
    with tracer.start_as_current_span("block"), continued(job), tracer.start_as_current_span("tell"):
        pass
    traces.assert_tree(
        """
        block
          tell
        """
    )


def test_a_configured_process_takes_the_ids_of_a_transaction_once(http_receiver: Received) -> None:
    with configure(TracingSettings(service_name="chain", endpoint=http_receiver.url), set_global=False) as tracing:
        with transaction("execute", HASH, provider=tracing.provider) as span:
            wanted = transaction_span(HASH)
            assert span.get_span_context().trace_id == wanted.trace_id
            assert span.get_span_context().span_id == wanted.span_id
            child = tracing.tracer("t").start_span("child")
            assert child.get_span_context().span_id != wanted.span_id
            child.end()
        other = tracing.tracer("t").start_span("other")
        assert other.get_span_context().trace_id != wanted.trace_id
        other.end()


@pytest.mark.parametrize("wrong", ["", "abc", b"short", "g" * 64, "jane@example.org"])
def test_what_is_no_hash_is_refused_and_not_shown(wrong: str | bytes) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits") as refused:
        transaction_span(wrong)
    assert not wrong or str(wrong) not in str(refused.value)


def test_without_tracing_jobs_are_handed_out_and_done() -> None:
    provider = trace.NoOpTracerProvider()
    with produce("provision", provider=provider) as job:
        assert job is None
    with consume("provision", job, provider=provider) as span:
        assert not span.is_recording()
