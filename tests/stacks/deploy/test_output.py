"""The output of the engine: passed on line by line, tracebacks kept from its reader."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from stacks.deploy.output import WithoutTracebacks, passed_on

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTED = """\
 +  kubernetes:core/v1:ConfigMap consumers-shop creating (0s)
    Traceback (most recent call last):
      File "pulumi-language-python-exec", line 12, in <module>
        loop.run_until_complete(coro)
    KeyboardInterrupt

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "pulumi-language-python-exec", line 99, in <module>
        main()
      File "asyncio/base_events.py", line 640, in run_forever
    asyncio.exceptions.CancelledError
 +  kubernetes:core/v1:ConfigMap consumers-shop created (1s)
"""
LINE_BY_LINE = """\
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (1s) Traceback (most recent call last):
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (1s)   File "/bin/pulumi-language-python-exec", line 231, in <module>
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s)     fd_event_list = self._selector.poll(timeout, max_ev)
@ updating......
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s)                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s) KeyboardInterrupt
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s) During handling of the above exception, another exception occurred:
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s) Traceback (most recent call last):
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s)     t.join()
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (2s) KeyboardInterrupt
 +  pulumi:pulumi:Stack virtengine-tracing-prod creating (3s) 5 warnings; 26 messages
"""
FAILED = """\
    error: Program failed with an unhandled exception:
    Traceback (most recent call last):
      File "main.py", line 1, in <module>
        raise ValueError("x")
    ValueError: x

Resources:
    1 created
"""


def _filtered(text: str) -> tuple[str, str]:
    kept = WithoutTracebacks()
    shown = [kept(line) for line in text.splitlines(keepends=True)]
    return "".join(line for line in shown if line is not None), "".join(kept.kept)


def test_an_interrupted_program_leaves_no_line() -> None:
    shown, kept = _filtered(INTERRUPTED)
    assert shown.splitlines() == [INTERRUPTED.splitlines()[0], INTERRUPTED.splitlines()[-1]]
    assert kept == ""


def test_an_interrupted_program_behind_the_name_of_its_stack_leaves_no_line() -> None:
    shown, kept = _filtered(LINE_BY_LINE)
    assert shown.splitlines() == ["@ updating......", LINE_BY_LINE.splitlines()[-1]]
    assert kept == ""


def test_of_a_traceback_the_exception_is_shown_and_the_whole_is_kept() -> None:
    shown, kept = _filtered(FAILED)
    assert "Traceback" not in shown
    assert "main.py" not in shown
    assert "ValueError: x" in shown
    assert "1 created" in shown
    assert kept == "".join(FAILED.splitlines(keepends=True)[1:5])


def test_a_coloured_traceback_is_one_too() -> None:
    coloured = FAILED.replace("    Traceback", "\x1b[31m    Traceback").replace("ValueError: x", "ValueError: x\x1b[0m")
    shown, _ = _filtered(coloured)
    assert "Traceback" not in shown


def test_lines_without_a_traceback_pass_as_they_are() -> None:
    text = "Updating (prod):\n\n    pulumi:pulumi:Stack prod running\n    error: x\n"
    assert _filtered(text) == (text, "")


def test_each_stream_is_passed_on_to_its_writer_and_the_kept_traceback_is_told(tmp_path: Path) -> None:
    program = f"import sys; sys.stdout.write({FAILED!r}); sys.stderr.write('warning\\n')"
    out: list[str] = []
    err: list[str] = []
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        with passed_on({process.stdout: out.append, process.stderr: err.append}, tmp_path / "traceback.txt") as said:
            process.wait()
        assert said[process.stderr] == ["warning\n"]
    assert "ValueError: x" in "".join(out)
    assert err == ["warning\n", f"a traceback of the engine's program is in {tmp_path / 'traceback.txt'}\n"]
    assert "main.py" in (tmp_path / "traceback.txt").read_text()
