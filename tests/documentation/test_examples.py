"""What pages tell a reader to write: the names of alerts are right, and environments that are copied word by word are accepted."""

from __future__ import annotations

import copy
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import stacks.backbone
import tracing_lib
from components.alerts.rule import PREFIX
from components.alerts.rules import rules
from components.kubernetes.monitoring import monitoring_objects
from stacks.environment.model import KEY
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import ROOT, named
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGES = sorted((ROOT / "docs").rglob("*.md"))
WRITTEN = [page for page in PAGES if page.parent.name not in {"decisions", "reference"}]
BLOCK = re.compile(r"^( *)```yaml[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ALERT = re.compile(rf"\b{PREFIX}[A-Z][A-Za-z]+")


def alerts() -> set[str]:
    """The alerts of all environments here, on a cluster that has every certificate and scrapes Grafana."""
    certified = {"ingest.certificate": {"name": "company"}, "backend.grafana.scraped": True}
    plans = [samples.planned(name) for name in (*samples.FILES, *samples.FURTHER) if name != "dev"]
    plans += [samples.planned("dev", "docker"), samples.planned("prod-tempo", changes=certified)]
    return {rule.alert for plan in plans for rule in rules(plan)}


def classes() -> set[str]:
    """Names of the library and of the component, which begin as those of alerts do."""
    return {name for module in (tracing_lib, stacks.backbone) for name in dir(module) if name.startswith(PREFIX)}


def test_every_alert_that_a_page_names_is_one_of_an_environment() -> None:
    known = alerts() | classes()
    wrong = {f"{page.relative_to(ROOT)}: {name}" for page in WRITTEN for name in ALERT.findall(page.read_text()) if name not in known}
    assert wrong == set()
    assert {"TracingJaegerDownSearch", "TracingQueryDownSearch", "TracingStoreRejectsSearch"} <= alerts()


def check(settings: object) -> None:
    """Raises ``BadEnvironmentError`` where the command `check` refuses a file with these settings."""
    named(settings, source="Pulumi.sample.yaml", name="sample")


def block_with(page: str, key: str) -> dict[str, Any]:
    """The only block of a page that has a key."""
    text = (ROOT / "docs" / page).read_text()
    loaded = [yaml.safe_load(textwrap.dedent(block[2])) for block in BLOCK.finditer(text)]
    found: dict[str, Any]
    (found,) = [block for block in loaded if key in str(block)]
    return found


def test_the_smallest_file_of_a_cluster_is_taken_and_none_of_it_can_be_left_out() -> None:
    settings = block_with("environments.md", KEY)["config"][KEY]
    check(settings)
    for path in paths(settings):
        less = copy.deepcopy(settings)
        above = less
        for key in path[:-1]:
            above = above[key]
        del above[path[-1]]
        with pytest.raises(BadEnvironmentError):
            check(less)


def paths(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


def test_the_old_store_of_a_move_is_that_of_production_line_by_line() -> None:
    assert block_with("stores.md", "also")["backend"]["also"]["store"] == samples.settings("prod")["backend"]


def test_the_operators_sections_make_monitors_rules_and_dashboards() -> None:
    block = block_with("any-cluster.md", "dashboards")
    made = monitoring_objects(samples.planned(changes={f"{name}.{key}": part for name in block for key, part in block[name].items()}))
    assert [one["kind"] for one in made].count("ConfigMap") == 4
    labels = block["monitoring"]["labels"].items()
    by_operator = [one for one in made if one["kind"] != "ConfigMap"]
    assert {one["kind"] for one in by_operator} == {"PodMonitor", "PrometheusRule"}
    assert all(labels <= one["metadata"]["labels"].items() for one in by_operator)
