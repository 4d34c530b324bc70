"""The SLURM client on a real site: slurmctld, slurmd, munge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from tests.waiting import until
from tracing_lib.base.errors import SlurmError
from tracing_lib.instrument.remote.slurm import JOB_ID, STATE, SlurmClient, _exporting
from tracing_lib.testing.kit import attributes_of

if TYPE_CHECKING:
    from tests.sites.slurm import SlurmSite
    from tracing_lib.testing.kit import RecordedTraces


def _finished(client: SlurmClient, job: int) -> str:
    goes_on = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"}
    until(lambda: client.state(job) not in goes_on, f"job {job} to end", progress=lambda: client.state(job), every=0.2)
    return client.state(job)


@pytest.mark.parametrize("export", [[], ["--export=NONE"], ["--export", "SLURM_CONF"]])
def test_the_job_runs_within_the_trace_that_submitted_it(slurm: SlurmSite, traces: RecordedTraces, export: list[str]) -> None:
    client = SlurmClient(environment=slurm.environment, tracer_provider=traces.provider)
    output = slurm.folder / f"job-{len(export)}-{''.join(export)[-4:]}.out"
    script = "#!/bin/sh\necho traceparent=$TRACEPARENT\n"
    options = [f"--output={output}", "--job-name=of-jane-doe", f"--chdir={slurm.folder}", *export]
    with traces.provider.get_tracer("t").start_as_current_span("provision"):
        job = client.submit(script, options=options)
    assert _finished(client, job) == "COMPLETED"
    submitted = traces.span("sbatch")
    assert submitted.context is not None
    assert output.read_text().strip() == f"traceparent=00-{submitted.context.trace_id:032x}-{submitted.context.span_id:016x}-01"
    assert submitted.parent == traces.span("provision").context
    assert (submitted.kind, attributes_of(submitted)) == (SpanKind.CLIENT, {JOB_ID: str(job)})
    assert {span.name for span in traces.spans} == {"provision", "sbatch", "scontrol show job"}
    last = [span for span in traces.spans if span.name == "scontrol show job"][-1]
    assert attributes_of(last) == {JOB_ID: str(job), STATE: "COMPLETED"}


def test_a_refusal_is_an_error_that_quotes_nothing_of_the_customer(slurm: SlurmSite, traces: RecordedTraces) -> None:
    client = SlurmClient(environment=slurm.environment, tracer_provider=traces.provider)
    with pytest.raises(SlurmError, match="status 1") as refused:
        client.submit("#!/bin/sh\n", options=["--partition=jane-doe"])
    span = traces.span("sbatch")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span) == {"error.type": "tracing_lib.base.errors.SlurmError", "virtengine.error.code": "exit_1"}
    assert "jane" not in str(refused.value)
    assert traces.tree() == "sbatch (client) ! tracing_lib.base.errors.SlurmError"


def test_a_cancelled_job_is_seen_as_such(slurm: SlurmSite, traces: RecordedTraces) -> None:
    client = SlurmClient(environment=slurm.environment, tracer_provider=traces.provider)
    job = client.submit("#!/bin/sh\nsleep 60\n", options=[f"--output={slurm.folder}/cancelled.out", f"--chdir={slurm.folder}"])
    client.cancel(job)
    assert _finished(client, job) == "CANCELLED"
    assert attributes_of(traces.span("scancel")) == {JOB_ID: str(job)}


def test_a_job_is_found_by_its_name_while_the_controller_knows_it(slurm: SlurmSite, traces: RecordedTraces) -> None:
    client = SlurmClient(environment=slurm.environment, tracer_provider=traces.provider)
    where = [f"--output={slurm.folder}/found.out", f"--chdir={slurm.folder}"]
    jobs = [client.submit("#!/bin/sh\nsleep 60\n", options=["--job-name=find-me-7", *where]) for _ in range(2)]
    client.submit("#!/bin/sh\ntrue\n", options=["--job-name=find-me-77", *where])
    client.cancel(jobs[0])
    _finished(client, jobs[0])
    assert client.find("find-me-7") == jobs
    assert client.find("of-nobody-7") == []
    client.cancel(jobs[1])
    asked = [span for span in traces.spans if span.name == "squeue"]
    assert [(span.kind, attributes_of(span)) for span in asked] == [(SpanKind.CLIENT, {})] * 2


def test_a_missing_program_is_named_with_the_remedy(traces: RecordedTraces) -> None:
    client = SlurmClient(prefix=["/nowhere/wrapper"], tracer_provider=traces.provider)
    with pytest.raises(SlurmError, match="install slurm-client"):
        client.submit("#!/bin/sh\n")
    assert traces.span("sbatch").status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], []),
        (["--export=ALL"], ["--export=ALL"]),
        (["--export=NIL"], ["--export=NIL"]),
        (["--export=NONE"], ["--export=TRACEPARENT"]),
        (["--export=A,B=2"], ["--export=A,B=2,TRACEPARENT"]),
        (["--export", "A", "-N1"], ["--export", "A,TRACEPARENT", "-N1"]),
    ],
)
def test_the_context_is_exported_whatever_the_caller_exports(given: list[str], passed: list[str]) -> None:
    assert _exporting(given, ("TRACEPARENT",)) == passed
