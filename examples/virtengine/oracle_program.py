"""The oracle's program, which is written in Go: built once where Go is there, and kept beside the servers of the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from components.local.build import GoBuild, Recipe, build, find_go, go_wanted, is_older
from components.local.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER: Final = Path(__file__).with_name("oracle")
_RECIPE: Final = Recipe("oracle", ".", "0.1.0", 1)


def find_oracle(say: Callable[[str], None]) -> Path | None:
    """Return the path of the program, built now unless it is in the cache. None, and a line that says why, where it cannot be built."""
    least = go_wanted(FOLDER)
    try:
        go = find_go()
        if go is None:
            say(f"without the oracle, whose keeper is written in Go: there is no `go` on PATH ({least} or later is needed)")
        elif is_older(go, least):
            say(f"without the oracle, whose keeper is written in Go: {go.program} is older than {least}")
        else:
            return build(GoBuild("virtengine-oracle", _RECIPE, FOLDER, go), say=say)
    except BuildError as error:
        say(f"without the oracle, whose keeper is written in Go: {error}")
    return None
