"""Servers come up in order, are kept up, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from components.local.errors import FolderInUseError, InterruptedStartError, PortsError, StartError, UnsupportedPlanError
from components.local.files import hold_folder, write_documents
from components.local.health import answers
from components.local.instances import one_each
from components.local.keeper import next_delay
from components.local.order import start_order
from components.local.supervisor import Supervisor
from components.workload import Document, Edge, SecretFile, SecretVariable
from tests.components.local.stage import PYTHON, Stage, lives, plan_of
from tests.waiting import STALL_SECONDS, until


def happened(supervisor: Supervisor, name: str) -> list[str]:
    return [event.what for event in supervisor.events if event.workload == name]


def test_what_is_called_starts_before_and_stops_after_what_calls_it(stage: Stage) -> None:
    stage.add("agent", calls=["gateway"])
    stage.add("gateway", calls=["backend"])
    stage.add("backend", drain_seconds=0.2)
    with stage.running():
        assert stage.journal == ["start backend", "start gateway", "start agent"]
    assert stage.journal[3:] == ["stop agent", "stop gateway", "stop backend"]


def test_the_next_server_starts_only_when_the_one_that_it_calls_is_healthy(stage: Stage) -> None:
    stage.add("gateway", calls=["backend"])
    stage.add("backend", wakes_after=0.5)
    with stage.running() as supervisor:
        events = supervisor.events
        assert answers(stage.workloads[0].ports[0].number, "/status")
    whats = [(event.what, event.workload) for event in events]
    assert whats == [("started", "backend"), ("healthy", "backend"), ("started", "gateway"), ("healthy", "gateway")]
    assert events[2].at - events[0].at > 0.5


def test_the_order_of_a_cycle_is_always_the_same(stage: Stage) -> None:
    a, b, c = (replace(stage.add(name), name=name) for name in "abc")
    port = a.ports[0]
    edges = [Edge("a", "b", port), Edge("b", "c", port), Edge("c", "b", port), Edge("consumers", "a", port), Edge("c", "oidc-issuer", port)]
    assert start_order(plan_of([a, b, c], edges)) == ("c", "b", "a")
    assert start_order(plan_of([a, b, c], reversed(edges))) == ("c", "b", "a")
    assert start_order(plan_of([a, b, c], [Edge("a", "a", port)])) == ("a", "b", "c")


def test_documents_and_volumes_are_there_before_the_start_and_private(stage: Stage) -> None:
    workload = stage.add("backend")
    with stage.running():
        document = Path(workload.documents_path) / "server.json"
        assert document.read_text(encoding="utf-8") == workload.documents[0].text
        assert document.stat().st_mode & 0o777 == 0o600
        for folder in (document.parent, Path(workload.volumes[0].path), stage.folder / "state" / "logs"):
            assert folder.stat().st_mode & 0o777 == 0o700


def test_a_changed_document_replaces_the_old_one_whole(stage: Stage) -> None:
    workload = replace(stage.add("backend"), documents=(Document("strategies.json", "old", "reload"),))
    write_documents([workload])
    path = Path(workload.documents_path) / "strategies.json"
    with path.open(encoding="utf-8") as old:
        write_documents([replace(workload, documents=(Document("strategies.json", "new", "reload"),))])
        assert old.read() == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert [p.name for p in path.parent.iterdir()] == ["strategies.json"]


def test_a_server_sees_its_own_environment_and_little_of_ours(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere")
    monkeypatch.delenv("TMPDIR", raising=False)
    stage.add("backend")
    with stage.running() as supervisor:
        given = Path(f"/proc/{supervisor.pid('backend')}/environ").read_text(encoding="utf-8")
    seen = dict(variable.split("=", 1) for variable in given.split("\0") if variable)
    assert seen == {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C", "GIVEN": "backend"}


def test_a_server_that_exits_at_its_start_fails_it_at_once_with_its_log(stage: Stage) -> None:
    stage.add("backend")
    stage.add("gateway", calls=["backend"], start_seconds=600, refused=True)
    since = time.monotonic()
    with pytest.raises(StartError) as caught, stage.running():
        pytest.fail("it came up")
    assert time.monotonic() - since < STALL_SECONDS < stage.workloads[1].health.start_seconds
    message = str(caught.value)
    assert message.startswith("gateway ended (exit status 3) before it was healthy")
    assert "    Error: key 'refused' is not known\n" in message
    assert f"{stage.folder}/state/logs/gateway.log" in message
    assert stage.workloads[1].documents_path in message
    assert stage.journal == ["start backend", "stop backend"]


def test_the_log_shown_is_that_of_this_start_only(stage: Stage) -> None:
    stage.add("gateway", refused=True)
    logs = stage.folder / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / "gateway.log").write_text("an old line\n", encoding="utf-8")
    with pytest.raises(StartError) as caught, stage.running():
        pytest.fail("it came up")
    assert "an old line" not in str(caught.value)
    assert (logs / "gateway.log").read_text(encoding="utf-8").startswith("an old line\nthe document is read\n")


def test_a_server_that_is_not_healthy_in_time_fails_the_start(stage: Stage) -> None:
    workload = stage.add("backend", start_seconds=1, never_healthy=True)
    number = workload.ports[0].number
    with pytest.raises(StartError, match=rf"did not answer GET http://127\.0\.0\.1:{number}/status with 2xx within 1 s"), stage.running():
        pytest.fail("it came up")
    assert list((stage.folder / "state" / "pids").iterdir()) == []


def test_a_program_that_cannot_be_run_is_named(stage: Stage) -> None:
    stage.add("backend")
    programs = {"fake": stage.folder / "no-such-program"}
    with (
        hold_folder(stage.folder / "state") as held,
        pytest.raises(StartError, match="no-such-program cannot be run: No such file or directory"),
        Supervisor(one_each(stage.plan), programs, held, stage.said.append),
    ):
        pytest.fail("it came up")


def test_a_port_in_use_is_named_before_the_server_starts(stage: Stage) -> None:
    number = stage.add("backend").ports[0].number
    with socket.create_server(("127.0.0.1", number)), pytest.raises(PortsError, match=rf"backend: .*{number} \(health\)"), stage.running():
        pytest.fail("it came up")
    assert stage.journal == []


def test_stopping_ends_the_wait_for_health(stage: Stage) -> None:
    stage.add("backend", start_seconds=600, never_healthy=True)
    stopping = threading.Event()
    threading.Timer(0.5, stopping.set).start()
    with (
        hold_folder(stage.folder / "state") as held,
        pytest.raises(InterruptedStartError),
        Supervisor(one_each(stage.plan), PYTHON, held, stage.said.append, stopping),
    ):
        pytest.fail("it came up")
    assert list((stage.folder / "state" / "pids").iterdir()) == []


def test_a_killed_server_is_started_again_and_that_is_said(stage: Stage) -> None:
    number = stage.add("backend").ports[0].number
    with stage.running() as supervisor:
        first = supervisor.pid("backend")
        supervisor.kill("backend", signal.SIGKILL)
        until(lambda: happened(supervisor, "backend") == ["started", "healthy", "died", "started"])
        supervisor.wait_healthy("backend")
        assert answers(number, "/status")
        assert supervisor.pid("backend") != first
        died, again = supervisor.events[-2:]
        assert again.at - died.at >= 0.5
        until(lambda: len(stage.said) >= 3)
    assert stage.said[1] == "backend died (SIGKILL); started again in 0.5 s (restart 1)"
    assert stage.said[2].startswith("backend is up again, ")
    assert len(stage.said) == 3


def test_the_restart_delay_doubles_to_a_bound_and_a_steady_minute_resets_it() -> None:
    delays = [0.0]
    for _ in range(8):
        delays.append(next_delay(delays[-1], lived=1))
    assert delays[1:] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert next_delay(30, lived=59) == 30
    assert next_delay(30, lived=60) == 0.5


def test_a_server_that_dies_again_waits_longer(stage: Stage) -> None:
    workload = stage.add("backend")
    with stage.running() as supervisor:
        text = json.dumps({**json.loads(workload.documents[0].text), "refused": True})
        write_documents([replace(workload, documents=(Document("server.json", text),))])
        supervisor.kill("backend")
        until(lambda: len(stage.said) >= 3)
    assert stage.said[1:3] == [
        "backend died (SIGKILL); started again in 0.5 s (restart 1)",
        (
            "backend died (exit status 3); started again in 1 s (restart 2): Error: key 'refused' is not known; "
            f"see {stage.folder}/state/logs/backend.log"
        ),
    ]


def test_a_held_server_stays_dead_until_it_is_released(stage: Stage) -> None:
    stage.add("backend")
    with stage.running() as supervisor:
        supervisor.hold("backend")
        supervisor.kill("backend")
        until(lambda: "died" in happened(supervisor, "backend"))
        time.sleep(0.8)
        assert happened(supervisor, "backend") == ["started", "healthy", "died"]
        with pytest.raises(StartError, match=r"backend does not run \(SIGKILL\)"):
            supervisor.pid("backend")
        supervisor.release("backend")
        supervisor.wait_healthy("backend")
        assert lives(supervisor.pid("backend"))
        until(lambda: len(stage.said) >= 3)
    assert stage.said[1] == "backend died (SIGKILL); held, so started again only when released (restart 1)"
    assert stage.said[2].startswith("backend is up again, ")


def test_a_server_that_was_stopped_alone_stays_stopped_until_it_is_started(stage: Stage) -> None:
    stage.add("backend")
    with stage.running() as supervisor:
        supervisor.stop("backend")
        supervisor.stop("backend")
        time.sleep(0.7)
        assert happened(supervisor, "backend") == ["started", "healthy", "stopped"]
        supervisor.start("backend")
        assert answers(stage.workloads[0].ports[0].number, "/status")
        supervisor.restart("backend")
    assert stage.journal == ["start backend", "stop backend"] * 3


def test_a_server_that_ignores_sigterm_is_killed_after_its_grace_and_that_is_said(stage: Stage) -> None:
    stage.add("backend", grace_seconds=1, ignores_sigterm=True)
    with stage.running() as supervisor:
        pid = supervisor.pid("backend")
        since = time.monotonic()
    assert time.monotonic() - since >= 1.0
    assert not lives(pid)
    assert stage.said[-1] == "backend did not stop within 1 s of SIGTERM: killed"


@pytest.mark.parametrize("end", ["stopped", "died"])
def test_what_a_server_has_started_ends_with_it(stage: Stage, end: str) -> None:
    stage.add("backend", grace_seconds=60, child="exec sleep 600", child_pid_file=str(stage.folder / "child.pid"))
    with stage.running() as supervisor:
        child = int((stage.folder / "child.pid").read_text(encoding="utf-8"))
        assert lives(child)
        if end == "died":
            supervisor.hold("backend")
            os.kill(supervisor.pid("backend"), signal.SIGKILL)
        else:
            supervisor.stop("backend")
        until(lambda: not lives(child))
        until(lambda: happened(supervisor, "backend") == ["started", "healthy", end])


def test_stopping_waits_for_what_a_wrapper_has_started(stage: Stage) -> None:
    journal = stage.folder / "journal"
    drain = f"trap 'sleep 0.5; echo drained >> {journal}; exit' TERM; echo trapped >> {journal}; while :; do sleep 0.1; done"
    stage.add("backend", grace_seconds=60, child=drain, child_pid_file=str(stage.folder / "child.pid"))
    with stage.running() as supervisor:
        until(lambda: "trapped" in stage.journal)
        supervisor.stop("backend")
        assert stage.journal[-2:] == ["stop backend", "drained"]


def test_the_end_leaves_no_process_or_pid_file_and_stopping_again_is_harmless(stage: Stage) -> None:
    stage.add("backend")
    stage.add("gateway", calls=["backend"])
    with stage.running() as supervisor:
        pids = [supervisor.pid("backend"), supervisor.pid("gateway")]
        written = [int((stage.folder / "state" / "pids" / f"{name}.pid").read_text(encoding="utf-8")) for name in ("backend", "gateway")]
        assert written == pids
        supervisor.stop_all()
        supervisor.stop_all()
    assert not any(map(lives, pids))
    assert list((stage.folder / "state" / "pids").iterdir()) == []


def test_servers_outlive_the_thread_that_started_them(stage: Stage) -> None:
    stage.add("backend")
    with hold_folder(stage.folder / "state") as held:
        supervisor = Supervisor(one_each(stage.plan), PYTHON, held, stage.said.append)
        starter = threading.Thread(target=supervisor.__enter__)
        starter.start()
        starter.join()
        try:
            time.sleep(0.2)
            assert lives(supervisor.pid("backend"))
            assert happened(supervisor, "backend") == ["started", "healthy"]
        finally:
            supervisor.stop_all()


def test_servers_outlive_a_terminal_that_is_gone(stage: Stage) -> None:
    stage.add("backend")

    def say(line: str) -> None:
        stage.said.append(line)
        if "died" in line:
            raise BrokenPipeError

    with hold_folder(stage.folder / "state") as held, Supervisor(one_each(stage.plan), PYTHON, held, say) as supervisor:
        supervisor.kill("backend")
        until(lambda: happened(supervisor, "backend")[-2:] == ["died", "started"])
        supervisor.wait_healthy("backend")
    assert stage.journal[-1] == "stop backend"


def test_an_environment_runs_once_and_the_refusal_names_the_process_that_runs_it(stage: Stage) -> None:
    folder = stage.folder / "state"
    with (
        hold_folder(folder),
        pytest.raises(FolderInUseError, match=rf"{folder}: .*process {os.getpid()}\); .*kill {os.getpid()}"),
        hold_folder(folder),
    ):
        pytest.fail("held twice")
    with hold_folder(folder) as held:
        assert held.path == folder


def test_secrets_are_refused_by_name(stage: Stage) -> None:
    workload = replace(
        stage.add("access"),
        secret_files=(SecretFile("ingest", "token", "/etc/ingest/token"),),
        secret_variables=(SecretVariable("COOKIE", "oidc", "cookie"),),
    )
    with pytest.raises(UnsupportedPlanError) as caught:
        one_each(plan_of([workload]))
    assert "access: file /etc/ingest/token from secret ingest/token" in str(caught.value)
    assert "access: variable COOKIE from secret oidc/cookie" in str(caught.value)
    assert "docker or kubernetes" in str(caught.value)
