"""Ports are the same over restarts and never those of another environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.local.errors import PortsError
from components.local.ports import FIRST_REPLACEMENT, LAST_REPLACEMENT, choose_ports, free_ports, is_free
from components.workload import Port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server of somebody else, on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody


@pytest.fixture
def well_known(tmp_path: Path) -> int:
    """A number on which nobody listens, and that neither an outgoing connection nor another test will take."""
    guess = zlib.crc32(str(tmp_path).encode())
    return next(number for step in range(8000) if is_free(number := 12_000 + (guess + step) % 8000))


def number_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_a_free_well_known_number_is_taken_and_remembered(tmp_path: Path, well_known: int) -> None:
    memory = tmp_path / "state" / "ports.json"
    chosen = choose_ports([("gateway", Port("otlp-grpc", well_known, "grpc"))], memory)
    assert chosen == {("gateway", "otlp-grpc"): well_known}
    assert json.loads(memory.read_text(encoding="utf-8")) == {"gateway": {"otlp-grpc": well_known}}
    assert memory.stat().st_mode & 0o777 == 0o600


def test_a_number_in_use_is_replaced_from_below_the_ephemeral_range(tmp_path: Path, listener: socket.socket) -> None:
    chosen = choose_ports([("gateway", Port("otlp-grpc", number_of(listener), "grpc"))], tmp_path / "ports.json")
    assert FIRST_REPLACEMENT <= chosen["gateway", "otlp-grpc"] <= LAST_REPLACEMENT < 32768


def test_the_replacement_stays_when_the_well_known_number_becomes_free(tmp_path: Path, listener: socket.socket) -> None:
    port = Port("otlp-grpc", number_of(listener), "grpc")
    before = choose_ports([("gateway", port)], tmp_path / "ports.json")
    listener.close()
    assert choose_ports([("gateway", port)], tmp_path / "ports.json") == before


def test_without_its_memory_an_environment_finds_the_same_replacement(tmp_path: Path, listener: socket.socket) -> None:
    port = Port("otlp-grpc", number_of(listener), "grpc")
    before = choose_ports([("gateway", port)], tmp_path / "ports.json")
    (tmp_path / "ports.json").unlink()
    assert choose_ports([("gateway", port)], tmp_path / "ports.json") == before


def test_a_new_port_does_not_take_the_number_that_another_is_remembered_by(tmp_path: Path, well_known: int) -> None:
    memory = tmp_path / "ports.json"
    choose_ports([("gateway", Port("otlp-grpc", well_known, "grpc"))], memory)
    new, old = ("agent", Port("otlp-grpc", well_known, "grpc")), ("gateway", Port("otlp-grpc", 1, "grpc"))
    chosen = choose_ports([new, old], memory)
    assert chosen["gateway", "otlp-grpc"] == well_known
    assert chosen["agent", "otlp-grpc"] != well_known


def test_what_is_remembered_of_other_workloads_is_kept(tmp_path: Path, well_known: int) -> None:
    memory = tmp_path / "ports.json"
    memory.write_text('{"tempo": {"otlp-grpc": 24317}}', encoding="utf-8")
    choose_ports([("jaeger", Port("otlp-grpc", well_known, "grpc"))], memory)
    assert json.loads(memory.read_text(encoding="utf-8")) == {"tempo": {"otlp-grpc": 24317}, "jaeger": {"otlp-grpc": well_known}}


def test_two_ports_of_one_choice_with_the_same_number_get_two_numbers(tmp_path: Path, well_known: int) -> None:
    port = Port("health", well_known, "http")
    chosen = choose_ports([("agent", port), ("gateway", port)], tmp_path / "ports.json")
    assert len(set(chosen.values())) == 2
    assert chosen["agent", "health"] == well_known


def test_a_number_that_another_environment_has_chosen_but_not_yet_bound_is_taken(tmp_path: Path, well_known: int) -> None:
    port = Port("otlp-grpc", well_known, "grpc")
    dev = choose_ports([("gateway", port)], tmp_path / "dev.json")
    prod = choose_ports([("gateway", port)], tmp_path / "prod.json")
    assert dev != prod
    assert choose_ports([("gateway", port)], tmp_path / "dev.json") == dev


def test_environments_that_choose_at_the_same_time_share_no_number(tmp_path: Path, well_known: int) -> None:
    program = (
        "import sys; from pathlib import Path; from components.local.ports import choose_ports; from components.workload import Port\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        f"wanted = [('gateway', Port('otlp-grpc', {well_known}, 'grpc'))]\n"
        "numbers = [n for i in range(10) for n in choose_ports(wanted, Path(sys.argv[1]) / str(i)).values()]\n"
        "print(*numbers, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    choosers = [subprocess.Popen([*command, str(tmp_path / f"{i}")], cwd=ROOT, stdin=pipe, stdout=pipe) for i in range(3)]
    numbers: list[bytes] = []
    try:
        for chooser in choosers:
            assert chooser.stdout is not None
            assert chooser.stdout.readline() == b"ready\n"
        for chooser in choosers:
            assert chooser.stdin is not None
            chooser.stdin.write(b"\n")
            chooser.stdin.flush()
        for chooser in choosers:
            assert chooser.stdout is not None
            numbers += chooser.stdout.readline().split()
    finally:
        for chooser in choosers:
            chooser.communicate()
    assert len(numbers) == len(set(numbers)) == 30


def test_numbers_for_this_process_alone_are_no_ephemeral_ones_and_nobody_elses(tmp_path: Path, cache: Path) -> None:
    first, second = free_ports(3), free_ports(3)
    assert len({*first, *second}) == 6
    assert all(FIRST_REPLACEMENT <= number <= LAST_REPLACEMENT < 32768 for number in first + second)
    chosen = choose_ports([("gateway", Port("otlp-grpc", first[0], "grpc"))], tmp_path / "ports.json")
    assert chosen["gateway", "otlp-grpc"] not in first + second
    (third,) = free_ports(1)
    assert third not in {*first, *second, *chosen.values()}
    assert {holder["pid"] for holder in json.loads((cache / "ports.json").read_text(encoding="utf-8")).values()} == {os.getpid()}


def test_more_numbers_than_there_are_are_refused() -> None:
    with pytest.raises(PortsError, match=f"fewer than 10001 of the ports {FIRST_REPLACEMENT} to {LAST_REPLACEMENT} are free; stop what"):
        free_ports(10_001)


def test_the_reservation_of_a_process_that_has_ended_counts_for_nothing(tmp_path: Path, cache: Path, well_known: int) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    cache.mkdir(parents=True)
    registry = {str(well_known): {"memory": "/elsewhere/ports.json", "pid": ended.pid}}
    (cache / "ports.json").write_text(json.dumps(registry), encoding="utf-8")
    chosen = choose_ports([("gateway", Port("otlp-grpc", well_known, "grpc"))], tmp_path / "ports.json")
    assert chosen["gateway", "otlp-grpc"] == well_known
    assert json.loads((cache / "ports.json").read_text(encoding="utf-8"))[str(well_known)]["pid"] == os.getpid()


@pytest.mark.parametrize("content", ["not json", "[]", '{"gateway": 1}', '{"gateway": {"p": "1"}}', '{"gateway": {"p": 0}}'])
def test_a_memory_that_is_none_is_refused_by_name_and_not_overwritten(tmp_path: Path, content: str) -> None:
    memory = tmp_path / "ports.json"
    memory.write_text(content, encoding="utf-8")
    with pytest.raises(PortsError, match=f"{memory}: not a memory of ports; .*rm {memory}"):
        choose_ports([("gateway", Port("p", 4317, "grpc"))], memory)
    assert memory.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_number_on_which_somebody_listens_is_not_free(address: str) -> None:
    family = socket.AF_INET6 if address == "::" else socket.AF_INET
    dual = address == "::"
    if dual and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.create_server((address, 0), family=family, dualstack_ipv6=dual) as somebody:
        assert not is_free(number_of(somebody))


def test_a_number_is_free_again_as_soon_as_its_server_has_ended(listener: socket.socket) -> None:
    number = number_of(listener)
    with socket.create_connection(("127.0.0.1", number)) as client:
        served, _ = listener.accept()
        served.close()  # the server's end goes first, which leaves it in TIME_WAIT
        listener.close()
        assert client.recv(1) == b""
    assert is_free(number)
