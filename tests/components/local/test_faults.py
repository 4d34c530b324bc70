"""Each fault does what its name says to a running server, and what it does can be undone."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from components.local import liveness
from components.local.disks import can_mount, mounted, resize
from components.local.errors import DiskError, FaultError, NotRunningError
from components.local.faults import DAMAGES, Faults, damage_file, largest_file
from components.local.instances import pid_path
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from components.local.faults import Damage
    from tests.components.local.stage import Stage

mounts = pytest.mark.skipif(can_mount() is not None, reason=f"volumes cannot have their size here: {can_mount()}")


def test_a_killed_server_is_another_process_soon(stage: Stage) -> None:
    stage.add("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        first = faults.find("backend").pid
        faults.kill("backend")
        until(lambda: faults.find("backend").pid not in {None, first}, "another process")


def test_what_a_killed_supervisor_has_left_is_no_environment_that_runs(stage: Stage) -> None:
    stage.add("backend")
    with stage.running():
        left = {path: path.read_text() for path in (stage.folder / "state").glob("*.json")}
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    for path, text in left.items():
        path.write_text(text)
    (stage.folder / "state" / "lock").write_text(str(ended.pid))
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        pid_path(stage.folder / "state", "backend").write_text(str(stranger.pid))
        with pytest.raises(NotRunningError):
            Faults(stage.folder / "state").kill("backend")
        assert stranger.poll() is None
        stranger.kill()


def test_a_refusing_server_is_down_until_released(stage: Stage) -> None:
    stage.add("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        faults.refuse("backend")
        faults.refuse("backend")
        time.sleep(0.8)
        assert faults.find("backend").pid is None
        assert not faults.is_healthy("backend")
        faults.release("backend")
        assert faults.wait_healthy("backend") >= 0


def test_a_hanging_server_keeps_its_process_and_answers_again_when_released(stage: Stage) -> None:
    stage.add("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        first = faults.find("backend").pid
        faults.hang("backend")
        assert not faults.is_healthy("backend")
        assert faults.find("backend").pid == first
        faults.release("backend")
        faults.wait_healthy("backend")
        assert faults.find("backend").pid == first


def test_a_slowed_server_still_answers_and_is_left_running(stage: Stage) -> None:
    stage.add("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        with faults.slowed("backend", 0.2):
            until(lambda: faults.is_healthy("backend"), "an answer")
        assert faults.is_healthy("backend")


def test_restarting_a_workload_restarts_it_by_sigterm(stage: Stage) -> None:
    stage.add("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        first = faults.find("backend").pid
        faults.restart_each("backend")
        assert faults.find("backend").pid not in {None, first}
    assert stage.journal == ["start backend", "stop backend", "start backend", "stop backend"]


def test_a_restarted_server_that_does_not_stop_is_killed_after_its_grace_period(stage: Stage) -> None:
    stage.add("backend", grace_seconds=1, ignores_sigterm=True)
    with stage.running():
        faults = Faults(stage.folder / "state")
        first = faults.find("backend").pid
        assert faults.restart("backend") >= 1
        assert faults.find("backend").pid not in {None, first}


def test_a_hanging_server_is_ended_and_started_again_as_the_kubelet_does(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PERIOD_SECONDS", 0.1)
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.1)
    stage.add("backend", grace_seconds=1, alive_seconds=1)
    with stage.running():
        faults = Faults(stage.folder / "state")
        first = faults.find("backend").pid
        faults.hang("backend")
        until(lambda: faults.find("backend").pid not in {None, first}, "another process")
        faults.wait_healthy("backend")
    assert "backend has not answered for 1 s: ended, to be started again" in stage.said


def test_faults_name_what_there_is_instead_of_what_there_is_not(stage: Stage) -> None:
    stage.add("backend")
    with pytest.raises(NotRunningError, match="python -m stacks run state"):
        Faults(stage.folder / "state").kill("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        with pytest.raises(FaultError, match="no instance 'gateway-1' here; there are backend"):
            faults.kill("gateway-1")
        with pytest.raises(FaultError, match="has no volume 'queue'; it has data"):
            faults.damage("backend", "queue", "cut")
        with pytest.raises(FaultError, match="holds no file"):
            faults.damage("backend", "data", "cut")
        faults.wait_healthy("backend")


@pytest.mark.parametrize("how", DAMAGES)
def test_a_file_is_damaged_while_its_server_is_down(stage: Stage, how: Damage) -> None:
    workload = stage.add("backend")
    with stage.running():
        faults = Faults(stage.folder / "state")
        file = stage.folder / "backend" / "data" / "queue"
        content = os.urandom(100_000)
        file.write_bytes(content)
        assert faults.damage("backend", "data", how) == file
        faults.wait_healthy("backend")
        assert file.read_bytes() != content
    assert workload.volumes[0].path == str(file.parent)


@pytest.mark.parametrize("how", DAMAGES)
def test_of_a_file_with_holes_what_is_written_is_damaged_and_the_holes_stay(tmp_path: Path, how: Damage) -> None:
    file, content = tmp_path / "values", os.urandom(100_000)
    file.write_bytes(content)
    os.truncate(file, 2**32)
    damage_file(file, how)
    with file.open("rb") as damaged:
        assert damaged.read(len(content)) != content
    assert file.stat().st_blocks * 512 <= 2 * len(content)


def test_the_largest_file_is_that_which_takes_most_room(tmp_path: Path) -> None:
    (tmp_path / "values").touch()
    os.truncate(tmp_path / "values", 2**31)
    (tmp_path / "keys").write_bytes(b"x" * 100_000)
    assert largest_file(tmp_path) == tmp_path / "keys"


def test_damage_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for how in DAMAGES:
        damaged = []
        for name in ("one", "other"):
            (tmp_path / name).write_bytes(bytes(range(256)) * 400)
            damage_file(tmp_path / name, how, seed=3)
            damaged.append((tmp_path / name).read_bytes())
        assert damaged[0] == damaged[1]


@mounts
def test_a_disk_can_be_full_and_roomy_again(stage: Stage) -> None:
    workload = stage.add("backend")
    data = stage.folder / "backend" / "data"
    with mounted({data: 2**20}), stage.running():
        faults = Faults(stage.folder / "state")
        (data / "before").write_bytes(b"x" * 100_000)
        with faults.full_disk("backend", workload.volumes[0].name), pytest.raises(OSError, match="No space left"):
            (data / "more").write_bytes(b"x" * 100_000)
        (data / "after").write_bytes(b"x" * 100_000)
    assert not data.is_mount()
    assert list(data.iterdir()) == []


def test_a_disk_that_is_shared_is_not_filled(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="--disks"):
        resize(tmp_path, 1)
