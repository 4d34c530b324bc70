"""Each policy refuses a bad stack, and passes the stack as it is rendered."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.policies.judge import POLICIES, judge
from stacks.policies.planned import of_plan
from stacks.policies.resources import Resource, of_engine
from stacks.policies.rules import Stack
from stacks.policies.settings import BadPolicySettingsError, PolicySettings, read_settings
from tests.stacks import samples
from tests.stacks.samples import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIGEST = "sha256:" + "0" * 64
PINNED = {
    base: {f"images.digests.{name}": DIGEST for name in ("otelcol-contrib", "jaeger", "busybox", *more)}
    for base, more in (("dev", ()), ("prod", ("oauth2-proxy",)))
}
STRICT = PolicySettings.model_validate({"all": "mandatory"})


def stack(base: str = "prod", changes: dict[str, object] | None = None, *, pinned: bool = True) -> Stack:
    wanted = (PINNED[base] if pinned else {}) | (changes or {})
    environment = samples.named(base, wanted).environment
    return Stack(of_plan(samples.planned(base, environment.target.kind, wanted)), environment)


def broken(found: Stack, settings: PolicySettings = STRICT) -> set[str]:
    return {finding.policy for finding in judge(found, settings)}


def edited(found: Stack, kind: str, name: str, edit: Callable[[Any], object]) -> Stack:
    """The stack with one object edited, as a transformation of a program does it."""
    resources = list(found.resources)
    (at,) = (index for index, one in enumerate(resources) if (one.kind, one.name) == (kind, name))
    properties = copy.deepcopy(dict(resources[at].properties))
    edit(properties)
    resources[at] = Resource(kind, name, properties, resources[at].protected)
    return Stack(resources, found.environment)


def pod(properties: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = properties["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("base", ["dev", "prod", "prod-tempo", "prod-tempo-s3"])
def test_the_stacks_as_they_are_keep_every_mandatory_policy(base: str) -> None:
    found = judge(stack(base, pinned=False), PolicySettings())
    assert [finding for finding in found if finding.level == "mandatory"] == []


def test_a_stack_with_pinned_images_keeps_every_policy() -> None:
    assert broken(stack()) == set()


SETTINGS: dict[str, dict[str, object]] = {
    "image-digests": {"images.digests": {}},
    "protected-store": {"backend.protect": False},
    "intake": {"ingest.token_secret": ABSENT},
    "retention": {"retention.traces": "180d", "backend.volume.size": "4Ti"},
}


@pytest.mark.parametrize("policy", SETTINGS)
def test_a_policy_that_a_setting_breaks_is_the_only_one_and_names_the_setting(policy: str) -> None:
    found = judge(stack(changes=SETTINGS[policy]), STRICT)
    assert {finding.policy for finding in found} == {policy}
    (key, *_) = SETTINGS[policy]
    assert all("environment." + key.partition(".")[0] in finding.violation.right for finding in found)


def text(document: str, old: str, new: str) -> Callable[[Any], object]:
    """Replace words in a document of a ConfigMap."""

    def edit(properties: dict[str, Any]) -> None:
        assert old in properties["data"][document]
        properties["data"][document] = properties["data"][document].replace(old, new)

    return edit


COLLECTOR = "collector.yaml"
EDITS: dict[str, tuple[str, str, str, Callable[[Any], object]]] = {
    "host network": ("restricted-pods", "DaemonSet", "agent", lambda it: pod(it).update(hostNetwork=True)),
    "host path": ("restricted-pods", "StatefulSet", "jaeger", lambda it: pod(it)["volumes"].append({"hostPath": {"path": "/"}})),
    "root": ("restricted-pods", "StatefulSet", "jaeger", lambda it: pod(it)["securityContext"].update(runAsUser=0)),
    "seccomp": ("restricted-pods", "Deployment", "access", lambda it: pod(it)["securityContext"].pop("seccompProfile")),
    "profile": ("restricted-pods", "Namespace", "virtengine-observability", lambda it: it["metadata"]["labels"].clear()),
    "init container": ("image-digests", "StatefulSet", "gateway", lambda it: pod(it)["initContainers"][0].update(image="busybox:1")),
    "way in": ("ui-login", "Ingress", "access", lambda it: it["spec"].update(defaultBackend={"service": {"name": "jaeger"}})),
    "node port": ("ui-login", "Service", "jaeger", lambda it: it["spec"].update(type="NodePort")),
    "open policy": ("ui-login", "NetworkPolicy", "jaeger-ingress", lambda it: it["spec"].update(ingress=[{}])),
    "no TLS": ("intake", "ConfigMap", "agent", text(COLLECTOR, "tls:", "no:")),
    "strategies": ("intake", "ConfigMap", "sampling", text("sampling.yaml", "auth:", "no:")),
    "for ever": ("retention", "ConfigMap", "jaeger", text("jaeger.yaml", "spans: 720h", "spans: 0s")),
    "smaller claim": (
        "disk",
        "PersistentVolumeClaim",
        "traces-jaeger-0",
        lambda it: it["spec"]["resources"]["requests"].update(storage="2Gi"),
    ),
    "series": ("quotas", "ConfigMap", "agent", text(COLLECTOR, "aggregation_cardinality_limit", "other")),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_object_that_a_program_has_changed_breaks_its_policy_alone(case: str) -> None:
    policy, kind, name, edit = EDITS[case]
    assert broken(edited(stack(), kind, name, edit)) == {policy}


def test_a_namespace_without_a_quota_is_found() -> None:
    found = stack()
    assert broken(Stack([one for one in found.resources if one.kind != "ResourceQuota"], found.environment)) == {"quotas"}


def test_a_store_that_the_load_fills_is_found() -> None:
    found = stack()
    assert found.environment is not None
    load = found.environment.load.model_copy(update={"spans_per_second": 20_000})
    fuller = found.environment.model_copy(update={"load": load})
    (finding,) = judge(Stack(found.resources, fuller), STRICT)
    assert (finding.policy, finding.violation.resource) == ("disk", "PersistentVolumeClaim traces-jaeger-0")
    assert "environment.backend.volume.size" in finding.violation.right


def test_a_port_of_docker_on_every_address_is_found() -> None:
    found = stack("dev")
    name = next(one.name for one in found.resources if one.kind == "Container" and one.properties["ports"])
    assert broken(edited(found, "Container", name, lambda it: it["ports"][0].update(ip="0.0.0.0"))) == {"ui-login"}


@given(st.sampled_from([policy.name for policy in POLICIES]), st.sampled_from(["advisory", "mandatory", "disabled"]))
def test_the_configuration_decides_the_level_of_a_policy(policy: str, level: str) -> None:
    worst = Stack([Resource("Namespace", "open", {}), *stack_of_tags()])
    found = judge(worst, PolicySettings.model_validate({"all": "disabled", policy: level}))
    assert {finding.level for finding in found} <= {level} - {"disabled"}
    assert {finding.policy for finding in found} <= {policy}


def stack_of_tags() -> list[Resource]:
    return [Resource("RemoteImage", "jaeger", {"name": "jaeger:2"}), Resource("PersistentVolumeClaim", "traces", {})]


def test_resources_of_the_engine_are_judged_as_those_of_the_plan() -> None:
    """The engine has every number as a float, and knows objects by type tokens."""
    as_json = json.loads(json.dumps([(one.kind, one.name, one.properties, one.protected) for one in stack().resources]), parse_int=float)
    told = [of_engine(f"kubernetes:any/v1:{kind}", name, properties, protected=protected) for kind, name, properties, protected in as_json]
    assert broken(Stack([one for one in told if one is not None])) == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"retentoin": "mandatory"}', "retentoin"),
        ('{"retention": {"maximum": "90"}}', 'write "90s"'),
        ('{"all": "strict"}', "advisory"),
        ("[]", "the whole: Input should be a valid dictionary"),
        ("[" * 100_000, "is not JSON"),
        ('{"retention": {"minimum": "100d", "maximum": "1d"}}', "the minimum 100d is above the maximum 1d"),
        ('{"image-digests": {"exempt": [""]}}', "image-digests.exempt.0"),
        ('{"restricted_pods": "advisory"}', "restricted_pods"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "policies.json").write_text(text)
    with pytest.raises(BadPolicySettingsError) as raised:
        read_settings(tmp_path / "policies.json")
    assert said in str(raised.value)
    assert str(tmp_path / "policies.json") in str(raised.value)


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadPolicySettingsError, match="No such file"):
        read_settings(tmp_path / "none.json")


def test_both_stores_of_a_move_are_held_to_the_policies() -> None:
    move = samples.settings("prod-move")["backend"]
    found = judge(stack("prod", {"backend": move}, pinned=False), PolicySettings())
    assert [finding for finding in found if finding.level == "mandatory"] == []
    store = move["also"]["store"] | {"protect": False, "volume": {"size": "4Ti"}}
    worse = stack("prod", {"backend": move | {"also": move["also"] | {"retention": "100d", "store": store}}}, pinned=False)
    assert {"retention", "protected-store"} <= broken(worse)
