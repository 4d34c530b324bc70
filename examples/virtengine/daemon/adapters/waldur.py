"""Leases as resources of a Waldur marketplace."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID

import httpx
from waldur_api_client.api.marketplace_orders import marketplace_orders_create, marketplace_orders_list, marketplace_orders_retrieve
from waldur_api_client.api.marketplace_resources import marketplace_resources_retrieve, marketplace_resources_terminate
from waldur_api_client.models.generic_order_attributes import GenericOrderAttributes
from waldur_api_client.models.order_create_request import OrderCreateRequest
from waldur_api_client.models.order_create_request_limits import OrderCreateRequestLimits
from waldur_api_client.models.order_state import OrderState
from waldur_api_client.models.resource_state import ResourceState
from waldur_api_client.models.resource_terminate_request import ResourceTerminateRequest

from examples.virtengine.daemon.adapters import ProvisioningError
from tracing_lib.instrument.remote import waldur_client

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from waldur_api_client import AuthenticatedClient

_ENDED: Final = {OrderState.ERRED, OrderState.CANCELED, OrderState.REJECTED}
_GONE: Final = {ResourceState.TERMINATED, ResourceState.TERMINATING}
_TIMEOUT_SECONDS: Final = 30.0
"""For one request, so that a backend that hangs fails the job. Far more than one takes, because a loaded machine is no failure."""

_KEPT_SECONDS: Final = 60.0
"""How long an idle connection is kept: longer than 5 s, the default, because httpx may close one that expires with a request just given."""


class WaldurAdapter:
    """The handle is the UUID of the order; the resource has the order of the chain as its name. ``offering``, ``project``: URLs."""

    def __init__(self, client: AuthenticatedClient, offering: str, project: str) -> None:
        self._client = client
        self._offering = offering
        self._project = project

    async def create(self, order_id: str, cpu_units: int) -> str:
        """Place an order."""
        limits = OrderCreateRequestLimits()
        limits["cpu"] = cpu_units
        attributes = GenericOrderAttributes(name=order_id)
        body = OrderCreateRequest(self._offering, self._project, attributes=attributes, limits=limits)
        return str((await marketplace_orders_create.asyncio(client=self._client, body=body)).uuid)

    async def find(self, order_id: str) -> str | None:
        """Look for the order whose resource has the name."""
        found = await marketplace_orders_list.asyncio(client=self._client, resource_name=order_id)
        return next((str(order.uuid) for order in found if order.resource_name == order_id), None)

    async def ready(self, handle: str) -> bool:
        """Whether the order is done."""
        state = (await marketplace_orders_retrieve.asyncio(UUID(handle), client=self._client)).state
        if state in _ENDED:
            raise ProvisioningError(f"Waldur's order is {state}")
        return state == OrderState.DONE

    async def release(self, handle: str) -> None:
        """Terminate the resource, where there is one."""
        order = await marketplace_orders_retrieve.asyncio(UUID(handle), client=self._client)
        if not isinstance(order.marketplace_resource_uuid, UUID) or order.state in _ENDED:
            return
        resource = await marketplace_resources_retrieve.asyncio(order.marketplace_resource_uuid, client=self._client)
        if resource.state not in _GONE:
            body = ResourceTerminateRequest()
            await marketplace_resources_terminate.asyncio(order.marketplace_resource_uuid, client=self._client, body=body)


@asynccontextmanager
async def adapter(options: argparse.Namespace) -> AsyncIterator[WaldurAdapter]:
    """The adapter for ``--waldur``, with the token that ``--waldur-token-file`` holds."""
    token = options.waldur_token_file.read_text().strip() if options.waldur_token_file else "example"
    limits = {"limits": httpx.Limits(keepalive_expiry=_KEPT_SECONDS)}
    async with waldur_client(options.waldur, token, timeout_seconds=_TIMEOUT_SECONDS, httpx_options=limits) as client:
        yield WaldurAdapter(client, f"{options.waldur}{options.waldur_offering}", f"{options.waldur}{options.waldur_project}")
