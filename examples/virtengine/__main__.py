"""VirtEngine in small: ``python -m examples.virtengine`` starts the services, places orders, and ends them.

It reads ``VIRTENGINE_TRACING_OUTPUTS``. Progress goes to stderr; the last line of stdout is a JSON object that names the story of one
order for ``python -m stacks run``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from components.local.errors import LocalError
from components.local.files import hold_folder
from examples.virtengine.load import SHARES, Load, LoadError
from examples.virtengine.oracle_program import find_oracle
from examples.virtengine.system import Options, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.virtengine.load import Outcome

OUTPUTS = "VIRTENGINE_TRACING_OUTPUTS"
PER_SECOND = 10.0
"""Orders that are placed in a second: what a laptop with two cores takes in its stride."""
UNFUNDED_SERVICES = ("portal", "chain")
"""An order without its deposit fails on the chain; the provider never hears of it."""


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the services and the load. Returns 0, 1 when an order did not come to its end, 2 when the services could not be run."""
    parser = argparse.ArgumentParser(prog="python -m examples.virtengine", description=__doc__)
    parser.add_argument("--orders", type=int, default=20, metavar="N", help="how many orders to place (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the orders' kinds and sizes (default: 1)")
    parser.add_argument(
        "--story", choices=SHARES, default="ordinary", help="kind of the first order, whose story is told (default: ordinary)"
    )
    parser.add_argument("--adapter", choices=("waldur", "kubernetes", "slurm"), default="waldur", help="default: waldur")
    parsed = parser.parse_args(arguments)
    if not (outputs := os.environ.get(OUTPUTS)):
        _say(f"{OUTPUTS} is not set; run: python -m stacks run dev -- python -m examples.virtengine")
        return 2
    options = Options(adapter=parsed.adapter, oracle=find_oracle(_say))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with hold_folder(Path(outputs).absolute().parent / "virtengine") as folder:
            starting = System(folder.path, Path(outputs), _say, options)
            _say(f"starting {', '.join(starting.services)}; logs in {os.path.relpath(folder.path / 'logs')}")
            with starting as system:
                outcome = asyncio.run(_load(system, parsed))
    except (LoadError, httpx.HTTPError, ExceptionGroup) as error:
        _say(f"virtengine: {error}")
        return 1
    except LocalError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130  # what a shell reports of a program that Ctrl-C ended
    _say(f"{len(outcome.placed)} orders came to their end: {', '.join(f'{count} {kind}' for kind, count in outcome.kinds.items())}")
    services = UNFUNDED_SERVICES if parsed.story == "unfunded" else system.services
    told = {"story": ["virtengine.order.id", outcome.placed[0].id], "services": services, "since": outcome.since}
    sys.stdout.write(json.dumps(told | {"orders": outcome.kinds}) + "\n")
    return 0


async def _load(system: System, parsed: argparse.Namespace) -> Outcome:
    load = Load(*(system.url(name) for name in ("portal", "provider-daemon", "chain")), seed=parsed.seed, say=_say)
    return await load.run(parsed.orders, per_second=PER_SECOND, kinds=(parsed.story,))


if __name__ == "__main__":
    sys.exit(main())
