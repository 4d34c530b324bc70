"""What ``check`` takes is what servers and the API server take, for generated values of each kind that one of them once refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.documents.images import TOOLBOX
from components.documents.series import NO_LABELS, SPAN_LABELS
from components.documents.text import prometheus_label
from stacks.environment.floors import floors
from stacks.environment.parse import BadEnvironmentError, parse
from stacks.environment.schema import Setting
from stacks.environment.schema import settings as all_settings
from stacks.environment.sections import Images
from stacks.environment.units import format_bytes
from tests.stacks import samples

if TYPE_CHECKING:
    import ipaddress

few = settings(max_examples=60, derandomize=True, database=None, deadline=None)


def refused(base: str, changes: samples.Changes) -> list[str]:
    """What is refused of a changed base: a line for each problem, which begins with its key."""
    try:
        parse(samples.settings(base, changes), source="Pulumi.sample.yaml", name="sample")
    except BadEnvironmentError as error:
        return [f"{problem.key}: {problem.message}" for problem in error.problems]
    return []


@few
@given(
    st.lists(
        st.text("abz19._-/ ü", max_size=4) | st.sampled_from([*SPAN_LABELS, *NO_LABELS, "span.kind", "http.route", "http_route"]),
        max_size=4,
    )
)
@pytest.mark.parametrize("section", ["span_metrics", "service_graph"])
def test_dimensions_are_taken_where_each_makes_one_label_that_is_not_there(section: str, dimensions: list[str]) -> None:
    labels = [prometheus_label(name) for name in dimensions]
    own = (*SPAN_LABELS, *NO_LABELS) if section == "span_metrics" else ()
    right = (
        all(name == name.strip() and name for name in dimensions)
        and all(label and not label.startswith("__") and label not in own for label in labels)
        and len(set(labels)) == len(labels)
    )
    found = refused("prod", {f"aggregation.{section}.dimensions": dimensions})
    assert (not found) is right, found


@few
@given(st.lists(st.sampled_from("*.?%"), min_size=1, max_size=6).map("".join), st.sampled_from(["", "/healthz"]))
def test_a_value_of_noise_is_no_pattern(pattern: str, text: str) -> None:
    value = text + pattern
    found = refused("prod", {"sampling.tail.noise.probes.values": [value]})
    assert bool(found) is (not text and "*" in pattern), found


def lists() -> list[Setting]:
    return [setting for setting in all_settings() if setting.shape.get("type") == "array" and "*" not in setting.path]


@pytest.mark.parametrize("base", ["prod", "prod-tempo-s3"])
def test_no_list_of_names_holds_one_twice(base: str) -> None:
    tried = 0
    for setting in lists():
        found: Any = samples.settings(base)
        for part in setting.path:
            found = found.get(part, {}) if isinstance(found, dict) else {}
        if found and isinstance(found, list) and isinstance(found[0], str) and "buckets" not in setting.key:
            tried += 1
            (problem,) = refused(base, {setting.path: [*found, found[0]]})
            assert f'"{found[0]}" stands twice' in problem
    assert tried > 3


@pytest.mark.parametrize("base", samples.FILES)
def test_each_floor_is_the_least_that_is_taken(base: str) -> None:
    for key, _, _, least in floors(samples.named(base).environment):
        under, at = ({key: text} for text in (f"{(least - 1) // 1024}Ki", format_bytes(least)))
        assert any(problem.startswith(f"environment.{key}: ") for problem in refused(base, under)), key
        assert not any("needs without any load" in problem for problem in refused(base, at)), key


label = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


@few
@given(st.lists(label, min_size=1, max_size=4).map(".".join), st.sampled_from([".", "-", "A", "_", " ", "/", "ü", ".."]))
@pytest.mark.parametrize("key", ["access.tls_secret", "collectors.gateway.queue.storage_class", "ingest.token_secret"])
def test_the_name_of_an_object_may_have_dots_between_labels_and_nothing_else(key: str, name: str, wrong: str) -> None:
    assert refused("prod", {key: name}) == []
    assert refused("prod", {key: name + wrong}) != []


@few
@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_a_host_is_no_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert refused("prod", {"access.host": str(address)}) != []


@pytest.mark.parametrize("base", samples.FILES)
def test_a_digest_is_taken_of_what_the_plan_runs_and_of_nothing_else(base: str) -> None:
    plan = samples.planned(base)
    runs = {workload.server.program for workload in plan.workloads} | {job.server.program for job in plan.jobs} | {TOOLBOX.program}
    for program in get_args(get_args(Images.model_fields["digests"].annotation)[0]):
        assert (refused(base, {("images", "digests"): {program: "sha256:" + "0" * 64}}) == []) is (program in runs), program


def test_two_settings_may_name_one_certificate_unless_two_issuers_would_write_it() -> None:
    same: dict[str, object] = {"access.tls_secret": "one", "ingest.tls_secret": "one"}
    issued: dict[str, object] = {f"{section}.certificate": {"name": "company"} for section in ("access", "ingest")}
    assert refused("prod", same) == []
    assert refused("prod", same | {"access.certificate": {"name": "company"}}) == []
    assert "is the Secret of access.tls_secret already" in str(refused("prod", same | issued))


@few
@given(st.integers(1, 10**7))
@pytest.mark.parametrize("key", ["sampling.strategies.poll_interval", "aggregation.flush_interval", "aggregation.service_graph.wait"])
def test_an_interval_is_a_second_or_more(key: str, milliseconds: int) -> None:
    found = [problem for problem in refused("dev", {key: f"{milliseconds}ms"}) if problem.startswith(f"environment.{key}: ")]
    assert bool(found) is (milliseconds < 1000)


@few
@given(st.integers(1, 10**5))
def test_memory_holds_a_trace_for_half_an_hour_at_most(seconds: int) -> None:
    changes = {"sampling.tail.wait": f"{seconds}s", "sampling.tail.slow": None}
    found = [problem for problem in refused("prod", changes) if problem.startswith("environment.sampling.tail.wait: ")]
    assert bool(found) is (seconds > 1800)
