"""What the example services share: settings from the environment, a port that is reported, an end that delivers the last spans."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from typing import Final

from tracing_lib import ContractError, SettingsError, Tracing, TracingSettings, configure

HOST: Final = "127.0.0.1"

ORDER_ID: Final = "virtengine.order.id"
ORDER_CPU: Final = "virtengine.order.cpu_units"
ESCROW_DEPOSIT: Final = "virtengine.escrow.deposit"
ESCROW_REQUIRED: Final = "virtengine.escrow.required"
VEID_LEVEL: Final = "virtengine.veid.level"
PROVIDER_ID: Final = "virtengine.provider.id"
BID_PRICE: Final = "virtengine.bid.price"
LEASE_ID: Final = "virtengine.lease.id"

CREATE_ORDER: Final = "/virtengine.market.v1.Msg/CreateOrder"


def traced(service_name: str) -> Tracing:
    """Configure tracing for this process from its environment; leave with status 2 and a plain message where that cannot be."""
    try:
        return configure(TracingSettings.from_environment(service_name=service_name, service_version="0.1.0"))
    except (ContractError, SettingsError) as error:
        sys.stderr.write(f"{service_name}: {error}\n")
        sys.exit(2)


def leave_on_sigterm() -> None:
    """Make SIGTERM, and the end of the parent, leave the main function, so that ``with`` blocks end and the last spans are sent."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))


def listening_socket() -> socket.socket:
    """Return a listening socket on a free loopback port; connections wait in its backlog until a server takes them."""
    listener = socket.create_server((HOST, 0))
    listener.set_inheritable(False)
    return listener


def meet(port: int) -> dict[str, str]:
    """Report the port on stdout, and return the addresses of the other services, read from stdin as one line of JSON."""
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    addresses: dict[str, str] = json.loads(line)
    return addresses


def _leave_with_the_parent() -> None:
    """End this service when the parent's end of stdin closes, however the parent died."""
    # The descriptor and not sys.stdin: a thread inside a buffered read would hold its lock when the interpreter ends.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
