"""The shape of a cluster on this machine: every instance of a plan as a process on a loopback address of its own.

The plan is made for each instance with the address that this one binds, so no document is changed after it was built. What a cluster
has around a backbone stands in ``stacks.placement.surroundings``.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.alerts.rule import Times
from components.local.addresses import SIZE, Block, hold_block
from components.local.disks import mounted
from components.local.errors import UnsupportedPlanError
from components.local.files import hold_folder, write_atomically
from components.local.instances import Instance
from components.local.jobs import repeated
from components.local.order import start_order
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.source import ROOT
from stacks.placement.local import STATE, Running, outputs_path
from stacks.placement.outputs import outputs, with_token
from stacks.placement.small_kafka import kafka_secrets, own_kafka, with_own_kafka
from stacks.placement.small_store import own_store, store_secrets, with_own_store
from stacks.placement.surroundings import (
    AUTHORITY_SECRET,
    INGRESS_SECRET,
    ISSUER,
    KAFKA,
    NAMED_STORE,
    PROMETHEUS,
    STORE,
    Backbone,
    Layout,
    around,
    lay_out,
)
from stacks.plan.addresses import InSmall, OnKubernetes
from stacks.plan.plan import plan

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from components.local.authority import Authority
    from components.local.instances import Listed
    from components.workload import Plan, Workload
    from stacks.environment.model import Environment
    from stacks.environment.source import Named

Secrets = dict[tuple[str, str], str]
"""Values by name of the Secret and entry in it."""


@dataclass(frozen=True, slots=True)
class Small:
    """A plan laid out in small: the plan as its first instances have it, and each instance of its workloads, in order of their start."""

    plan: Plan
    instances: tuple[Instance, ...]


@contextmanager
def deploy(
    named: Named,
    *,
    nodes: int,
    say: Callable[[str], None],
    stopping: threading.Event | None = None,
    state: Path | None = None,
    disks: bool = False,
    times: Times | None = None,
    absent: Collection[str] = (),
) -> Iterator[Running]:
    """Run an environment in the shape of a cluster with ``nodes`` agents for as long as the context lasts.

    Its traces and queues outlive it in ``state``; certificates, token and secrets of the login are made anew. With
    ``disks`` each volume of the plan is a file system in memory of the volume's size, which ends with the run. ``times`` scales those of
    the alerts. Workloads that are ``absent`` have their addresses and are not started. Raises ``LocalError`` as the placement on one host
    does.
    """
    from components.local.authority import Authority

    with hold_folder((state or STATE) / named.name) as folder, hold_block(folder.path) as block:
        there = outputs_path(named.name, state=state)
        there.unlink(missing_ok=True)
        named = with_own_servers(named, block)
        cluster = plan(named.environment, OnKubernetes(named.environment.namespace), name=named.name)
        layout = lay_out(cluster, block, nodes=nodes)
        authority = Authority(f"virtengine-tracing {named.name} on this machine")
        filled = _secrets(cluster, named.environment, layout, authority)
        small = instances(named, layout, folder.path, filled)
        trial = around(Backbone(small.plan, cluster, small.instances, named.environment, layout, folder.path, filled, times or Times()))
        stores = [
            own_store(each, block[STORE if each.backend.name is None else NAMED_STORE], folder.path, filled)
            for each in named.environment.stores
        ]
        own_files = {path: text for _, those in stores for path, text in those.items()}
        broker, files = own_kafka(named.environment, block[KAFKA], folder.path, filled)
        own = [instance for instance in small.instances if instance.workload.name not in absent]
        every = [*(one for those, _ in stores for one in those), *broker, *trial.before, *own, *trial.after]
        servers = [*(instance.workload.server for instance in every), *(job.server for job in small.plan.jobs)]
        programs = find_programs(servers, toolchain=ROOT / "toolchain", say=say, stopping=stopping)
        try:
            write_secrets(small, {**trial.files, **files, **own_files}, folder.path, filled, authority)
            with (
                _disks(small, wanted=disks),
                Supervisor(every, programs, folder, say, stopping) as supervisor,
                repeated(small.plan.jobs, programs, folder.path, {}, say),
            ):
                secured = named.environment.ingest.tls_secret is not None
                contract = outputs(small.plan, certificate=authority.certificate if secured else None)
                token = filled.get((str(named.environment.ingest.token_secret), "token"))
                contract = with_token(contract, token) if token else contract
                write_atomically(there, contract.to_json(secrets=True))
                yield Running(small.plan, contract, there, supervisor, _places(named.environment, layout, folder.path))
        finally:
            there.unlink(missing_ok=True)
            shutil.rmtree(folder.path / "secrets", ignore_errors=True)


def _disks(small: Small, *, wanted: bool) -> AbstractContextManager[None]:
    """The volumes of the plan as file systems of their own."""
    if not wanted:
        return nullcontext()
    return mounted({Path(volume.path): volume.size_bytes for instance in small.instances for volume in instance.workload.volumes})


def _places(environment: Environment, layout: Layout, folder: Path) -> Mapping[str, str]:
    places = {
        "Prometheus": f"http://{layout.prometheus}:{PROMETHEUS.number}",
        "certificate of the authority": str(folder / "authority.crt"),
    }
    if environment.access is not None:
        users = f"log in as operator, of {', '.join(environment.access.operator_groups)}, or as stranger, of none of them"
        places["issuer for trying"] = f"https://{layout.issuer}:{ISSUER.number}/oidc: {users}"
    return places


def instances(named: Named, layout: Layout, folder: Path, filled: Secrets) -> Small:
    """Return each instance with the documents of a plan for its address."""
    plans = _plans(named, layout, folder)
    placed = tuple(
        Instance(f"{name}-{index}", workload, address, _variables(workload, index, filled))
        for name in start_order(plans[0])
        for index, address in enumerate(layout.instances[name])
        for workload in [plans[index].workload(name)]
    )
    return Small(plans[0], placed)


def with_own_servers(named: Named, block: Block) -> Named:
    """The environment with the stores and the Kafka of this machine in place of the company's own."""
    environment = with_own_kafka(with_own_store(named.environment, block[STORE], block[NAMED_STORE]), block[KAFKA])
    return replace(named, environment=environment)


def wanted(named: Named, folder: Path, listed: Sequence[Listed]) -> tuple[Plan, Mapping[str, Workload]]:
    """The plan of an environment at the addresses that a run in ``folder`` has, and the workload of each instance by its name.

    An instance that is planned and does not run gets an address that nobody has.
    """
    block = Block(listed[0].address.rpartition(".")[0])
    named = with_own_servers(named, block)
    cluster = plan(named.environment, OnKubernetes(named.environment.namespace), name=named.name)
    there = {workload: tuple(one.address for one in listed if one.workload == workload) for workload in {one.workload for one in listed}}
    fresh = lay_out(cluster, block, nodes=len(there.get("agent", ())) or 1)
    free = iter(range(SIZE, 0, -1))
    placed = {
        name: (*there.get(name, ())[: len(addresses)], *(block[next(free)] for _ in addresses[len(there.get(name, ())) :]))
        for name, addresses in fresh.instances.items()
    }
    layout = replace(fresh, instances=placed)
    plans = _plans(named, layout, folder)
    return plans[0], {f"{name}-{index}": plans[index].workload(name) for name, those in placed.items() for index in range(len(those))}


def _plans(named: Named, layout: Layout, folder: Path) -> list[Plan]:
    """The plan as the instances of each number have it."""
    environment = layout.environment(named.environment)
    most = max(len(addresses) for addresses in layout.instances.values())
    return [plan(environment, InSmall(str(folder), layout.instances, layout.services, index), name=named.name) for index in range(most)]


def _variables(workload: Workload, index: int, filled: Secrets) -> Mapping[str, str]:
    node = {workload.node_variable: f"node-{index}"} if workload.node_variable else {}
    node |= {workload.instance_variable: f"{workload.name}-{index}"} if workload.instance_variable else {}
    return node | {entry.variable: filled[entry.secret, entry.key] for entry in workload.secret_variables}


def _secrets(plan_: Plan, environment: Environment, layout: Layout, authority: Authority) -> Secrets:
    """A value for every entry of a Secret that the plan reads, and for the issuer's authority."""
    filled: Secrets = {(AUTHORITY_SECRET, "ca.crt"): authority.certificate} | kafka_secrets(environment, layout.kafka, authority)
    filled |= store_secrets(environment, authority)
    ingest, access = environment.ingest, layout.environment(environment).access
    if ingest.tls_secret is not None:
        reached = (*layout.instances["agent"], *layout.instances["sampling"], layout.services.get("sampling"))
        pair = authority.issue(tuple(address for address in reached if address is not None))
        filled |= {(ingest.tls_secret, "tls.crt"): pair.certificate, (ingest.tls_secret, "tls.key"): pair.key}
    if ingest.token_secret is not None:
        filled[ingest.token_secret, "token"] = secrets.token_urlsafe(32)
    if access is not None:
        # The login proxy takes cookie secrets of 16, 24 or 32 bytes.
        filled |= {(access.secret, "client-secret"): secrets.token_urlsafe(32), (access.secret, "cookie-secret"): secrets.token_hex(16)}
        pair = authority.issue((layout.ingress,))
        filled |= {(INGRESS_SECRET, "tls.crt"): pair.certificate, (INGRESS_SECRET, "tls.key"): pair.key}
        if access.oidc_ca_secret is not None:
            filled[access.oidc_ca_secret, "ca.crt"] = authority.certificate
        pair = authority.issue((layout.issuer,))
        filled |= {(AUTHORITY_SECRET, "tls.crt"): pair.certificate, (AUTHORITY_SECRET, "tls.key"): pair.key}
    return filled | _given(plan_, filled)


def _given(plan_: Plan, filled: Secrets) -> Secrets:
    """Secrets of servers outside of the plan, such as object storage, from this process's environment."""
    wanted = [entry for w in plan_.workloads for entry in w.secret_variables if (entry.secret, entry.key) not in filled]
    missing = [entry.variable for entry in wanted if entry.variable not in os.environ]
    if missing:
        raise UnsupportedPlanError(
            f"environment {plan_.environment!r}: only you know the values of {', '.join(missing)}; "
            "set them as environment variables, then run the same command again"
        )
    if unknown := [
        f"{file.secret}.{file.key}" for w in plan_.workloads for file in w.secret_files if (file.secret, file.key) not in filled
    ]:
        raise UnsupportedPlanError(
            f"environment {plan_.environment!r}: {', '.join(unknown)}: is not made on this machine; leave the setting that names it out, "
            "then run the same command again"
        )
    return {(entry.secret, entry.key): os.environ[entry.variable] for entry in wanted}


def write_secrets(small: Small, files: Mapping[Path, str], folder: Path, filled: Secrets, authority: Authority) -> None:
    """Put each secret file where its server reads it, readable by this user alone."""
    for workload in small.plan.workloads:
        for file in workload.secret_files:
            write_atomically(Path(file.path), filled[file.secret, file.key])
    for path, value in files.items():
        write_atomically(path, value)
    write_atomically(folder / "authority.crt", authority.certificate)
