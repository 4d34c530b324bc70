"""Locks are renewed in a forked process, and nothing is kept alive for it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import pytest
from opentelemetry.context import get_value

from tracing_lib.base import background


class Noted:
    """An object whose methods are registered, each noting its call."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    def before(self) -> None:
        self.notes.append(f"before {self.name}")

    def parent(self) -> None:
        self.notes.append(f"parent {self.name}")

    def child(self) -> None:
        self.notes.append(f"child {self.name}")


def notes_of_a_fork(notes: list[str]) -> tuple[list[str], list[str]]:
    """Fork, and return what was noted in the parent and in the child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, "\n".join(notes).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        in_child = pipe.read().split("\n")
    os.waitpid(child, 0)
    return notes, in_child


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_methods_run_around_a_fork_in_the_order_of_the_standard_library() -> None:
    notes: list[str] = []
    first, second = Noted("first", notes), Noted("second", notes)
    for each in (first, second):
        background.around_fork(before=each.before, in_parent=each.parent, in_child=each.child)
    in_parent, in_child = notes_of_a_fork(notes)
    assert in_parent == ["before second", "before first", "parent first", "parent second"]
    assert in_child == ["before second", "before first", "child first", "child second"]


def test_an_error_in_one_method_does_not_keep_the_others_from_running() -> None:
    program = (
        "import os\n"
        "from tracing_lib.base.background import after_fork\n"
        "def failing(): raise RuntimeError('renewal failed')\n"
        "def told(): os.write(1, b'told')\n"
        "after_fork(failing)\n"
        "after_fork(told)\n"
        "child = os.fork()\n"
        "os.waitpid(child, 0) if child else os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "told")
    assert "renewal failed" in done.stderr


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_registered_method_does_not_keep_its_object_alive() -> None:
    noted = Noted("only", [])
    gone = weakref.ref(noted)
    background.after_fork(noted.child)
    notes = noted.notes
    del noted
    gc.collect()
    assert gone() is None
    assert notes_of_a_fork(notes) == ([], [""]), "nothing is called for it"


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_registered_function_stays() -> None:
    notes: list[str] = []
    background.after_fork(lambda: notes.append("told"))
    gc.collect()
    assert notes_of_a_fork(notes) == ([], ["told"])


def test_calls_of_a_background_thread_are_not_traced() -> None:
    seen: list[object] = []
    background.start_thread("test", lambda: seen.append(get_value(background.SUPPRESSED))).join()
    assert seen == [True]


def test_a_registration_that_outlives_the_program_says_nothing_at_exit() -> None:
    program = "from tracing_lib.privacy.registry import Registry\nkept = Registry()\nkept.itself = kept"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("from tracing_lib.privacy import Registry; holder = Registry(); lock = holder._lock", "holder.declare_names('child')"),
        (
            "from tracing_lib.sampling.sampler import TargetSampler; from tracing_lib.sampling.strategies import ratio_strategy; "
            "holder = TargetSampler(ratio_strategy(1.0)); lock = holder._lock",
            "holder.apply(ratio_strategy(0.5))",
        ),
    ],
    ids=["registry", "sampler"],
)
def test_a_lock_that_is_held_during_a_fork_is_free_in_the_child(made: str, used: str) -> None:
    program = (
        "import os, signal\n"
        f"{made}\n"
        "lock.acquire()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(30)\n"  # a child that waits for the lock ends by the signal
        f"    {used}\n"
        "    os._exit(0)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
