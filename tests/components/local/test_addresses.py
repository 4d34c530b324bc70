"""Blocks of loopback addresses: one run's alone, and the same again for the same folder."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from components.local.addresses import SIZE, hold_block
from components.local.errors import AddressesError

if TYPE_CHECKING:
    from pathlib import Path


def test_two_runs_at_once_never_have_a_block_in_common(tmp_path: Path) -> None:
    with hold_block(tmp_path) as one, hold_block(tmp_path) as other:
        assert one.prefix != other.prefix
        program = f"from components.local.addresses import hold_block\nwith hold_block({str(tmp_path)!r}) as b: print(b.prefix)"
        program = program.replace(repr(str(tmp_path)), f"__import__('pathlib').Path({str(tmp_path)!r})")
        third = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
        assert third not in {one.prefix, other.prefix}


def test_a_folder_has_the_same_block_again_after_its_run_has_ended(tmp_path: Path) -> None:
    with hold_block(tmp_path) as before:
        pass
    with hold_block(tmp_path) as after:
        assert after.prefix == before.prefix


def test_a_block_has_254_addresses_and_refuses_another_with_what_to_do(tmp_path: Path) -> None:
    with hold_block(tmp_path) as block:
        assert block[1] == f"{block.prefix}.1"
        assert block[SIZE] == f"{block.prefix}.254"
        for number in (0, SIZE + 1):
            with pytest.raises(AddressesError, match="--nodes"):
                block[number]
