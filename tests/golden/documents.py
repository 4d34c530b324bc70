"""The golden files: the plan and every document of the two stacks and of the variants of prod with other stores."""

from __future__ import annotations

from pathlib import Path

from stacks.environment.source import read
from stacks.placement.render import files
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.stacks import samples

BASES = {**samples.FILES, **samples.FURTHER}

FOLDER = Path(__file__).resolve().parent / "files"


def rendered(base: str) -> dict[str, str]:
    """Every file of a stack by its path below its golden folder."""
    named = read(str(BASES[base]))
    return files(plan(named.environment, addresses_of(named), name=named.name))


def stored(base: str) -> dict[str, str]:
    """The same as it was written last."""
    folder = FOLDER / base
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
