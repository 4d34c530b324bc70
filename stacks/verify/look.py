"""A look at a running backbone: its site, and the differences of its documents, which several promises share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stacks.verify.differences import differences
from stacks.verify.findings import CannotTellError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import Document
    from stacks.verify.findings import Account, Name
    from stacks.verify.site import Instance, Site


@dataclass(slots=True)
class Look:
    """A site, and for each promise the sentences on settings that are not as planned.

    ``unread`` has, for each workload, why its documents could not be read; ``read`` counts the documents that were.
    """

    site: Site
    differing: dict[Name, list[str]] = field(default_factory=lambda: defaultdict(list))
    unread: dict[str, str] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def configured(self, account: Account, workload: str, what: str) -> None:
        """Note that the part of a workload's document that a promise depends on is as planned, or cannot be seen."""
        if workload in self.unread:
            account.unseen.append(self.unread[workload])
        elif not self.read[workload]:
            account.unseen.append(f"no {workload} runs")
        elif not self.differing[account.promise]:
            account.facts.append(what)

    def absent(self) -> list[str]:
        """Workloads of the plan of which nothing runs, in sentences: what is said of the others is not said of them."""
        there = {instance.workload.name for instance in self.site.instances()}
        return [f"no {workload.name} runs" for workload in self.site.plan.workloads if workload.name not in there]

    def running(self, workload: str) -> list[Instance]:
        """The running instances of a workload."""
        return [instance for instance in self.site.instances() if instance.workload.name == workload]


def look(site: Site) -> Look:
    """Read every document that runs and compare it with the planned one."""
    seen = Look(site)
    told: dict[tuple[Name, str], list[str]] = defaultdict(list)
    for instance in site.instances():
        for document in instance.workload.documents:
            for owner, text in _compared(seen, instance, document):
                told[owner, text].append(instance.name)
    for (owner, text), names in told.items():
        seen.differing[owner].append(f"{', '.join(names)}: {text}")
    return seen


def _compared(seen: Look, instance: Instance, document: Document) -> Iterator[tuple[Name, str]]:
    workload = instance.workload.name
    name = f"{workload}/{document.name}"
    try:
        loaded = seen.site.loaded(instance, document)
    except CannotTellError as error:
        seen.unread[workload] = str(error)
        return
    seen.read[workload] += 1
    if loaded.text is None:
        yield "documents", f"{name} is missing"
        return
    if loaded.stale is not None:
        yield "documents", f"{name}: {loaded.stale}"
    yield from ((found.owner, found.text) for found in differences(name, document.text, loaded.text))
