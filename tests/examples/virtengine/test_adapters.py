"""The daemon as a process on a real kube-apiserver and on a real SLURM site."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import yaml
from kubernetes import client as k8s

from tests.examples.virtengine.spans import ORDER_ID
from tests.examples.virtengine.town import DAEMON, held_town, linked, trace_of
from tests.tracing_lib.receivers import attributes, http_receiver
from tests.waiting import until
from tracing_lib.instrument.remote.kubernetes import ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.examples.virtengine.fake_chain import FakeChain
    from tests.examples.virtengine.town import Town
    from tests.sites.kubernetes import ApiServer
    from tests.sites.slurm import SlurmSite

BatchV1Api: TypeAlias = Any
"""``k8s.BatchV1Api``, which has no types."""
JOBS = "/apis/batch/v1/namespaces/{namespace}/jobs"
NAMESPACE = "default"


@pytest.fixture(scope="module")
def kubernetes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kubernetes-town")


@pytest.fixture(scope="module")
def kubernetes_town(kubernetes_folder: Path, api_server: ApiServer) -> Iterator[Town[FakeChain]]:
    folder, kubeconfig = kubernetes_folder, kubernetes_folder / "kubeconfig"
    stated = {
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tester"}}],
        "clusters": [{"name": "tests", "cluster": {"server": api_server.url, "certificate-authority": str(api_server.certificates)}}],
        "users": [{"name": "tester", "user": {"token": api_server.token}}],
    }
    kubeconfig.write_text(yaml.safe_dump(stated))
    with http_receiver() as received, held_town(folder, received, "--adapter", "kubernetes", "--kubeconfig", kubeconfig) as running:
        yield running


@pytest.fixture
def batch(api_server: ApiServer) -> Iterator[BatchV1Api]:
    """The cluster as its controllers see it; none runs, so the tests are the Job controller."""
    configuration = k8s.Configuration(host=api_server.url)
    configuration.ssl_ca_cert = str(api_server.certificates)
    configuration.api_key = {"authorization": f"Bearer {api_server.token}"}
    with k8s.ApiClient(configuration) as client:
        yield k8s.BatchV1Api(client)


def _made(batch: BatchV1Api, order_id: str) -> Any:  # noqa: ANN401  the generated client has no types
    """Wait for the Job of an order."""
    wanted = f"metadata.name=lease-{order_id}"
    return until(lambda: batch.list_namespaced_job(NAMESPACE, field_selector=wanted).items, f"a Job for {order_id}")[0]


def _carried(span: Span) -> str:
    return f"00-{span.trace_id.hex()}-{span.span_id.hex()}-"


def test_a_job_of_the_cluster_carries_the_trace_and_goes_when_the_order_is_closed(
    kubernetes_town: Town[FakeChain], batch: BatchV1Api
) -> None:
    order_id = "order-000000000101"
    kubernetes_town.chain.open_order(order_id, 2)
    pod = _made(batch, order_id).spec.template
    batch.patch_namespaced_job_status(f"lease-{order_id}", NAMESPACE, {"status": {"active": 1}})
    kubernetes_town.wait_for_jobs(order_id, "done")
    done = kubernetes_town.spans.one(DAEMON, "process provision", order_id=order_id)
    kubernetes_town.spans.assert_tree(
        done,
        f"""
        provider-daemon: process provision ~> create provision, execute transaction
          provider-daemon: POST {JOBS}
          provider-daemon: adapter.ready
            provider-daemon: GET {JOBS}/{{name}}/status
          provider-daemon: virtengine.escrow.v1.Msg/Settle
            chain: virtengine.escrow.v1.Msg/Settle
        """,
    )
    posted = kubernetes_town.spans.one_of_trace(done, DAEMON, f"POST {JOBS}")
    assert pod.metadata.annotations[f"{ANNOTATION}traceparent"].startswith(_carried(posted))
    container = pod.spec.containers[0]
    assert {variable.name: variable.value for variable in container.env}["TRACEPARENT"].startswith(_carried(posted))
    assert container.resources.requests == {"cpu": "2"}
    kubernetes_town.chain.cancel_order(order_id)
    kubernetes_town.wait_for_jobs(order_id, "done", "done")
    assert batch.list_namespaced_job(NAMESPACE, field_selector=f"metadata.name=lease-{order_id}").items == []


def test_a_job_of_the_cluster_that_fails_closes_the_order_and_leads_to_its_span(
    kubernetes_town: Town[FakeChain], batch: BatchV1Api
) -> None:
    order_id = "order-000000000102"
    kubernetes_town.chain.open_order(order_id)
    started = _made(batch, order_id).metadata.creation_timestamp.isoformat()
    ended = {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}
    conditions = [ended, {**ended, "type": "Failed"}]
    status = {"conditions": conditions, "failed": 1, "startTime": started}
    batch.patch_namespaced_job_status(f"lease-{order_id}", NAMESPACE, {"status": status})
    kubernetes_town.wait_for_jobs(order_id, "failed", "done")
    done = kubernetes_town.spans.one(DAEMON, "process provision", order_id=order_id)
    kubernetes_town.spans.assert_tree(
        done,
        f"""
        provider-daemon: process provision ! ~> create provision, execute transaction
          provider-daemon: POST {JOBS}
          provider-daemon: adapter.ready !
            provider-daemon: GET {JOBS}/{{name}}/status
          provider-daemon: virtengine.market.v1.Msg/CloseOrder
            chain: virtengine.market.v1.Msg/CloseOrder
        """,
    )
    _assert_log_leads_to(kubernetes_town, order_id, "adapter.ready")


def _assert_log_leads_to(running: Town[FakeChain], order_id: str, name: str) -> None:
    lines = [line for line in running.daemon.lines() if line["message"] == f"provision of {order_id} failed"]
    assert [line["level"] for line in lines] == ["ERROR"]
    failed = next(span for _, span in running.received.spans if span.span_id.hex() == lines[0]["error.span_id"])
    assert failed.name == name
    assert failed.trace_id.hex() == lines[0]["error.trace_id"] == lines[0]["trace_id"]
    recorded = [attributes(event.attributes)["virtengine.error.fingerprint"] for event in failed.events]
    assert recorded == [lines[0]["virtengine.error.fingerprint"]]


def test_a_job_killed_before_its_outcome_was_remembered_is_not_done_twice(
    kubernetes_town: Town[FakeChain], batch: BatchV1Api, kubernetes_folder: Path
) -> None:
    order_id = "order-000000000103"
    kubernetes_town.chain.open_order(order_id)
    made = _made(batch, order_id)
    asked = kubernetes_town.spans.one(DAEMON, "create provision", order_id=order_id)
    kubernetes_town.daemon.kill()
    with closing(sqlite3.connect(kubernetes_folder / "daemon" / "daemon.sqlite")) as database, database:
        database.execute("UPDATE leases SET handle = NULL WHERE order_id = ?", (order_id,))
    kubernetes_town.daemon.start()
    batch.patch_namespaced_job_status(f"lease-{order_id}", NAMESPACE, {"status": {"active": 1}})
    kubernetes_town.wait_for_jobs(order_id, "done")
    assert kubernetes_town.jobs(order_id) == [{"kind": "provision", "state": "done", "attempt": 2}]
    assert _made(batch, order_id).metadata.uid == made.metadata.uid
    assert kubernetes_town.chain.sent.count(("settle", order_id)) == 1
    second = kubernetes_town.spans.one(DAEMON, "process provision", order_id=order_id)
    assert attributes(second.attributes)["virtengine.job.attempt"] == 2
    assert asked.span_id.hex() in linked(second)
    kubernetes_town.spans.assert_tree(
        second,
        f"""
        provider-daemon: process provision ~> create provision, execute transaction
          provider-daemon: GET {JOBS}
          provider-daemon: adapter.ready
            provider-daemon: GET {JOBS}/{{name}}/status
          provider-daemon: virtengine.escrow.v1.Query/Account
            chain: virtengine.escrow.v1.Query/Account
          provider-daemon: virtengine.escrow.v1.Msg/Settle
            chain: virtengine.escrow.v1.Msg/Settle
        """,
    )


def test_a_lease_that_was_settled_is_not_settled_again_though_nobody_remembers(
    kubernetes_town: Town[FakeChain], batch: BatchV1Api, kubernetes_folder: Path
) -> None:
    order_id = "order-000000000104"
    kubernetes_town.chain.open_order(order_id)
    _made(batch, order_id)
    batch.patch_namespaced_job_status(f"lease-{order_id}", NAMESPACE, {"status": {"active": 1}})
    kubernetes_town.wait_for_jobs(order_id, "done")
    kubernetes_town.daemon.kill()
    with closing(sqlite3.connect(kubernetes_folder / "daemon" / "daemon.sqlite")) as database, database:
        database.execute("UPDATE jobs SET state = 'running' WHERE order_id = ?", (order_id,))
    kubernetes_town.daemon.start()
    kubernetes_town.wait_for_jobs(order_id, "done")
    assert kubernetes_town.jobs(order_id) == [{"kind": "provision", "state": "done", "attempt": 2}]
    assert kubernetes_town.chain.sent.count(("settle", order_id)) == 1


def _slurm_arguments(folder: Path, slurm: SlurmSite) -> list[object]:
    """The daemon's arguments for a site, with a script that tells the trace that it finds."""
    script = folder / "lease.sh"
    script.write_text(f"#!/bin/sh\necho $TRACEPARENT >> {slurm.folder}/$SLURM_JOB_NAME.carried\nexec sleep 60\n")
    conf = slurm.environment["SLURM_CONF"]
    return ["--adapter", "slurm", "--slurm-conf", conf, "--slurm-script", script, f"--slurm-option=--chdir={slurm.folder}"]


@pytest.fixture(scope="module")
def slurm_town(tmp_path_factory: pytest.TempPathFactory, slurm: SlurmSite) -> Iterator[Town[FakeChain]]:
    folder = tmp_path_factory.mktemp("slurm-town")
    with http_receiver() as received, held_town(folder, received, *_slurm_arguments(folder, slurm)) as running:
        yield running


def _told(slurm: SlurmSite, *command: str) -> str:
    """What one of SLURM's commands says."""
    environment = {**os.environ, **slurm.environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def _found(slurm: SlurmSite, order_id: str) -> str:
    """What the script of an order found in TRACEPARENT."""
    file = slurm.folder / f"{order_id}.carried"
    return until(lambda: file.read_text() if file.exists() else "", f"the script of {order_id} to run").strip()


def _wait_for_state(slurm: SlurmSite, name: str, *states: str) -> None:
    """Wait until the only job of a name is in one of these states."""

    def found() -> str:
        return _told(slurm, "squeue", "--noheader", "--states=all", "--format=%T", f"--name={name}")

    until(lambda: found() in states, lambda: f"the job {name}, which is {found() or 'nowhere'}, to be {states}", progress=found)


def test_a_batch_job_finds_its_trace_and_is_cancelled_with_the_order(slurm_town: Town[FakeChain], slurm: SlurmSite) -> None:
    order_id = "order-000000000201"
    slurm_town.chain.open_order(order_id, 1)
    slurm_town.wait_for_jobs(order_id, "done")
    done = slurm_town.spans.one(DAEMON, "process provision", order_id=order_id)
    slurm_town.spans.assert_tree(
        done,
        """
        provider-daemon: process provision ~> create provision, execute transaction
          provider-daemon: sbatch
          provider-daemon: adapter.ready
            provider-daemon: scontrol show job
          provider-daemon: virtengine.escrow.v1.Msg/Settle
            chain: virtengine.escrow.v1.Msg/Settle
        """,
    )
    submitted = slurm_town.spans.one_of_trace(done, DAEMON, "sbatch")
    assert _found(slurm, order_id).startswith(_carried(submitted))
    slurm_town.chain.cancel_order(order_id)
    slurm_town.wait_for_jobs(order_id, "done", "done")
    _wait_for_state(slurm, order_id, "COMPLETING", "CANCELLED")


def test_a_batch_job_that_the_site_cancels_closes_the_order_and_leads_to_its_span(slurm_town: Town[FakeChain], slurm: SlurmSite) -> None:
    order_id = "order-000000000202"
    slurm_town.chain.open_order(order_id, 1000)
    _wait_for_state(slurm, order_id, "PENDING")
    assert slurm_town.jobs(order_id)[0]["state"] == "running"
    _told(slurm, "scancel", f"--name={order_id}")
    slurm_town.wait_for_jobs(order_id, "failed", "done")
    done = slurm_town.spans.one(DAEMON, "process provision", order_id=order_id)
    slurm_town.spans.assert_tree(
        done,
        """
        provider-daemon: process provision ! ~> create provision, execute transaction
          provider-daemon: sbatch
          provider-daemon: adapter.ready !
            provider-daemon: scontrol show job
          provider-daemon: virtengine.market.v1.Msg/CloseOrder
            chain: virtengine.market.v1.Msg/CloseOrder
        """,
    )
    _assert_log_leads_to(slurm_town, order_id, "adapter.ready")


def test_a_refused_bid_is_no_lease_and_holds_nothing_up(slurm_town: Town[FakeChain]) -> None:
    slurm_town.chain.refuses.add("order-000000000204")
    slurm_town.chain.open_order("order-000000000204")
    slurm_town.chain.open_order("order-000000000205", 1)
    slurm_town.wait_for_jobs("order-000000000205", "done")
    assert slurm_town.jobs("order-000000000204") == []
    assert [line["message"] for line in slurm_town.daemon.lines() if "refused" in str(line["message"])] == [
        "the chain refused the bid for order-000000000204: FAILED_PRECONDITION"
    ]
    slurm_town.chain.cancel_order("order-000000000205")


def test_no_event_is_lost_or_taken_twice_when_a_connection_breaks(slurm_town: Town[FakeChain]) -> None:
    slurm_town.chain.drop_subscribers()
    missed = slurm_town.chain.open_order("order-000000000206", 1)
    slurm_town.wait_for_jobs("order-000000000206", "done")
    sent = [kind for kind, order_id in slurm_town.chain.sent if order_id == "order-000000000206"]
    assert sent == ["bid", "settle"]
    created = {"virtengine.event.type": "order.created"}
    told = slurm_town.spans.one(DAEMON, "process /events", order_id="order-000000000206", **created)
    assert trace_of(missed) in linked(told)
    slurm_town.chain.cancel_order("order-000000000206")


def _released(running: Town[FakeChain]) -> list[Span]:
    return running.spans.find(DAEMON, "process release")


def test_a_customer_that_got_into_an_order_id_reaches_no_span_and_no_line(slurm_town: Town[FakeChain], slurm: SlurmSite) -> None:
    canary = "Jane Canary jane.canary@example.org"
    slurm_town.chain.open_order(canary, 1000)
    _wait_for_state(slurm, canary, "PENDING")
    _told(slurm, "scancel", f"--name={canary}")
    slurm_town.wait_for_jobs(canary, "failed", "done")
    # What the wall lets through of a job without an order's id: its span, which comes after all others.
    slurm_town.spans.wait(lambda: any(ORDER_ID not in attributes(span.attributes) for span in _released(slurm_town)), "release")
    assert "provision of * failed" in {line["message"] for line in slurm_town.daemon.lines()}
    everything = "".join(f"{resource}{span}" for resource, span in slurm_town.received.spans)
    assert "canary" not in (everything + slurm_town.daemon.log.read_text()).lower()


def test_without_tracing_the_same_is_done_and_nothing_is_carried(tmp_path: Path, slurm: SlurmSite) -> None:
    order_id = "order-000000000203"
    with http_receiver() as received, held_town(tmp_path, received, *_slurm_arguments(tmp_path, slurm), traced=False) as running:
        running.chain.open_order(order_id, 1)
        running.wait_for_jobs(order_id, "done")
        assert _found(slurm, order_id) == ""
        running.chain.cancel_order(order_id)
        running.wait_for_jobs(order_id, "done", "done")
        assert running.daemon.terminate() == 0
        with closing(sqlite3.connect(tmp_path / "daemon" / "daemon.sqlite")) as database:
            assert database.execute("SELECT DISTINCT trace FROM jobs").fetchall() == [(None,)]
    assert {resource["service.name"] for resource, _ in received.spans} == {"chain"}
