"""The environment: its defaults, its documentation, and that reading, writing and reading gives the same."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from stacks.environment import sections
from stacks.environment.model import KEY, Environment
from stacks.environment.parse import parse
from stacks.environment.schema import Setting, settings
from stacks.environment.sizing import expected_traces, flow, needs, queue_seconds
from stacks.environment.source import read
from tests.stacks import samples

MINIMAL = {
    "target": {"kind": "local"},
    "backend": {"kind": "jaeger", "volume": {"size": "100Gi"}},
    "sampling": {"tail": {"baseline": "5 %"}},
    "load": {"spans_per_second": 10},
}


def minimal() -> Environment:
    return parse(MINIMAL, source="Pulumi.least.yaml", name="least")


def test_the_defaults_are_those_of_the_requirement() -> None:
    least = minimal()
    assert least.namespace == "virtengine-observability"
    assert least.retention.traces == timedelta(days=30)
    assert least.sampling.head_ratio == 1.0
    assert least.sampling.tail.errors
    assert least.access is None
    assert least.backend.kind == "jaeger"
    assert least.backend.protect


def test_the_two_stack_files_differ_where_development_and_production_should() -> None:
    dev, prod = (samples.named(name).environment for name in ("dev", "prod"))
    assert (dev.target.kind, prod.target.kind) == ("docker", "kubernetes")
    assert dev.backend.kind == prod.backend.kind == "jaeger"
    assert (dev.backend.protect, prod.backend.protect) == (False, True)
    assert dev.sampling.tail.baseline > prod.sampling.tail.baseline
    assert dev.retention.traces < prod.retention.traces == timedelta(days=30)
    assert dev.access is None
    assert prod.access is not None
    assert prod.access.operator_groups
    assert prod.ingest.tls_secret
    assert prod.ingest.token_secret


@pytest.mark.parametrize("base", samples.FILES)
def test_every_stack_file_can_be_used_and_explains_itself(base: str) -> None:
    path = samples.FILES[base]
    assert read(str(path)).environment == samples.named(base).environment
    assert len([line for line in path.read_text().splitlines() if line.lstrip().startswith("# ")]) >= 3


@pytest.mark.parametrize("base", samples.FILES)
def test_writing_and_reading_an_environment_gives_the_same(base: str) -> None:
    environment = samples.named(base).environment
    written = environment.model_dump(mode="json")
    for again in (written, json.loads(json.dumps(written)), yaml.safe_load(yaml.safe_dump(written))):
        assert parse(again, source="again", name="again") == environment


@pytest.mark.parametrize("path", ["namespace", "retention.traces", "sampling.tail.baseline", "backend.volume.size", "access.host"])
def test_an_environment_cannot_be_changed_once_it_is_read(path: str) -> None:
    *above, last = path.split(".")
    node: object = samples.named("prod").environment
    for part in above:
        node = getattr(node, part)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(node, last, getattr(node, last))


@pytest.mark.parametrize("setting", settings(), ids=lambda setting: setting.key)
def test_every_setting_has_a_title_that_stands_in_sentences(setting: Setting) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9 -]*[A-Za-z0-9]", setting.title)


@pytest.mark.parametrize("setting", settings(), ids=lambda setting: setting.key)
def test_every_setting_says_what_it_is_and_why_its_default_or_that_it_is_required(setting: Setting) -> None:
    description = setting.description
    assert len(description) > 10 or description.startswith("Default: ")
    assert description.endswith(".")
    assert "\n\n" not in description
    if setting.required and "const" not in setting.shape:
        assert "Required" in description
    elif not setting.required:
        assert re.search(r"[Dd]efault", description)
        assert not re.search(r"Required[.:]", description)


def test_no_two_settings_are_called_the_same_unless_they_are_alternatives() -> None:
    by_title: dict[str, list[str]] = {}
    for setting in settings():
        by_title.setdefault(setting.title, []).append(setting.key)
    shared = {title: keys for title, keys in by_title.items() if len(keys) > 1}
    # Both kinds of volume have a size and a class; never both at once.
    assert shared == {
        "volume size": ["backend.volume.size", "backend.storage.size"],
        "second store volume size": ["backend.also.store.volume.size", "backend.also.store.storage.size"],
    }


def test_every_section_refuses_unknown_keys_and_changes() -> None:
    found: list[type[BaseModel]] = [s for s in vars(sections).values() if isinstance(s, type) and issubclass(s, BaseModel)]
    assert len(found) > 25
    every: list[type[BaseModel]] = [*found, Environment]
    for section in every:
        if section is not BaseModel:
            assert (section.model_config.get("extra"), section.model_config.get("frozen")) == ("forbid", True), section


@with_settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(
    spans=st.floats(1, 1e6),
    baseline=st.integers(0, 100),
    head=st.integers(0, 100),
    limit=st.none() | st.integers(1, 100_000),
    wait=st.integers(3, 30),
)
def test_no_step_of_the_pipeline_passes_more_than_the_one_before(
    spans: float, baseline: int, head: int, limit: int | None, wait: int
) -> None:
    environment = samples.named(
        "prod",
        {
            "load.spans_per_second": spans,
            "sampling.tail.baseline": f"{baseline} %",
            "sampling.tail.baseline_limit": limit,
            "sampling.head_ratio": f"{head} %",
            "sampling.tail.wait": f"{wait}s",
        },
    ).environment
    steps = flow(environment)
    assert 0 <= steps.kept <= steps.recorded * 1.000001 <= spans * 1.00001
    assert 0 <= steps.kept_share <= 1.000001
    assert expected_traces(environment) >= 1000
    assert queue_seconds(environment) > 0
    assert all(need.needed >= 0 for need in needs(environment))


def test_what_a_load_needs_of_disk_grows_with_load_retention_and_share_kept() -> None:
    def disk(**changes: object) -> float:
        return next(need.needed for need in needs(samples.named("prod", {k.replace("__", "."): v for k, v in changes.items()}).environment))

    plain = disk()
    assert disk(load__spans_per_second=4000) > plain
    assert disk(retention__traces="60d") == pytest.approx(2 * plain)
    # Jaeger stores the resource with each span.
    assert disk(load__bytes_per_span=800, load__bytes_per_resource=660) == pytest.approx(2 * plain)
    assert disk(load__bytes_per_resource=0) < plain
    assert disk(sampling__tail__baseline="1 %") < plain
    assert disk(sampling__tail__baseline_limit=1) < plain


def test_the_key_of_the_stack_file_is_that_of_the_project() -> None:
    project = yaml.safe_load((samples.FILES["dev"].parent / "Pulumi.yaml").read_text())
    assert f"{project['name']}:environment" == KEY
