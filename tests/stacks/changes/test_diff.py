"""``diff``: every setting has its sentence, and what restarts and reloads is told from what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stacks.changes.diff import Difference, difference, leaves, setting_at
from stacks.cli.cli import main
from stacks.environment.schema import Setting, settings
from stacks.environment.source import read
from tests.stacks import samples
from tests.stacks.environment import mutations

if TYPE_CHECKING:
    from pathlib import Path


def diff(base: str, changes: samples.Changes) -> Difference:
    return difference(samples.named(base), samples.named(base, changes))


def effects(found: Difference) -> list[tuple[str, str]]:
    return [(w.workload, w.effect) for w in found.workloads]


def in_words(value: object) -> list[str]:
    """What of a value a sentence has to hold."""
    if isinstance(value, list):
        return [str(item) for item in value]
    if isinstance(value, bool):
        return ["on" if value else "off"]
    if isinstance(value, int | float):
        return [f"{value:,g}"]
    return ["none" if value is None else str(value)]


def assert_has_its_sentence(setting: Setting) -> None:
    pair = mutations.pair(setting)
    assert pair is not None, (
        f"{setting.key}: no change of it was found; teach tests/stacks/environment/mutations.py its type, or a base that holds it"
    )
    found = difference(pair.old, pair.new)
    key = ".".join(pair.path)
    sentences = [change for change in found.changes if change.key == key]
    assert len(sentences) == 1, f"{setting.key}: {len(sentences)} sentences for one change"
    # Another kind of a thing brings the settings of that kind.
    assert setting.path[-1] == "kind" or len(found.changes) == 1, [change.sentence for change in found.changes]
    (change,) = sentences
    assert setting.title, f"{setting.key}: has no title to stand in a sentence"
    assert change.sentence.startswith(f"{setting.title} ")
    assert (change.old, change.new) == (pair.was, pair.becomes)
    assert change.old != change.new
    come = [item for item in in_words(pair.becomes) if not (isinstance(pair.was, list) and item in pair.was)]
    gone = [item for item in in_words(pair.was) if not isinstance(pair.was, list)]
    assert come
    for words in (come, gone):
        assert all(word in change.sentence for word in words), change.sentence
    if not isinstance(pair.becomes, list):
        before, after = change.sentence.removeprefix(setting.title).split(" → ")
        assert gone[0] in before
        assert after.startswith(come[0])
    for chosen, part in zip(setting.path, pair.path, strict=True):
        assert chosen != "*" or f'"{part}"' in change.sentence
    assert setting.unit is None or setting.unit in change.sentence
    assert change.consequence is None or len(change.consequence) > 10


@pytest.mark.parametrize("setting", mutations.each_once(), ids=lambda setting: setting.key)
def test_a_change_of_every_setting_has_one_sentence_with_its_name_and_both_values(setting: Setting) -> None:
    assert_has_its_sentence(setting)


def test_a_setting_that_no_change_was_found_for_fails_the_test_above() -> None:
    known = settings()[3]
    with pytest.raises(AssertionError, match="no change of it was found"):
        assert_has_its_sentence(replace(known, path=("retention", "metrics")))
    with pytest.raises(AssertionError, match="no change of it was found"):
        assert_has_its_sentence(replace(known, shape={"type": "a type that nobody knows"}, path=("retention", "traces")))


def test_a_setting_without_a_title_or_with_another_one_fails_the_test_above() -> None:
    retention = next(setting for setting in settings() if setting.key == "retention.traces")
    for title in ("", "age"):
        with pytest.raises(AssertionError):
            assert_has_its_sentence(replace(retention, title=title))


def is_section(path: tuple[str, ...]) -> bool:
    return any(setting.path[: len(path)] == path for setting in settings())


@pytest.mark.parametrize("base", mutations.bases())
def test_no_value_of_an_environment_is_passed_over(base: str) -> None:
    dumped = mutations.bases()[base].model_dump(mode="json")
    # A section that is absent is dumped as null; its settings are compared one by one.
    assert [path for path, value in leaves(dumped) if setting_at(path) is None and not (value is None and is_section(path))] == []


@pytest.mark.parametrize("base", samples.FILES)
def test_an_environment_does_not_differ_from_itself(base: str) -> None:
    found = diff(base, {})
    assert not found
    assert (found.changes, found.workloads, found.documents) == ((), (), "")


def test_the_sentences_of_the_requirement_are_said() -> None:
    (baseline,) = diff("prod", {"sampling.tail.baseline": "1 %"}).changes
    assert baseline.sentence == "baseline sampling 5 % → 1 %"
    (badger,) = diff("prod", {"retention.traces": "14d"}).changes
    assert badger.sentence == "retention 30d → 14d"
    assert badger.consequence == "on Badger spans already written keep their 30d"
    (tempo,) = diff("prod-tempo", {"retention.traces": "14d"}).changes
    assert tempo.sentence == badger.sentence
    assert tempo.consequence == "on Tempo traces older than 14d are no longer found after 67m at the latest"
    (longer,) = diff("prod-tempo", {"retention.traces": "31d"}).changes
    assert longer.consequence == "on Tempo the traces that are still stored stay until they are 31d old"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"access.operator_groups": ["a", "tracing-operators"]}, "operator groups + a"),
        ({"access.operator_groups": ["a"]}, "operator groups + a, - tracing-operators"),
        ({"aggregation.span_metrics.dimensions": []}, "span metric dimensions - rpc.method, - http.response.status_code"),
        (
            {"aggregation.span_metrics.dimensions": ["http.response.status_code", "rpc.method"]},
            "span metric dimensions [rpc.method, http.response.status_code] → [http.response.status_code, rpc.method]",
        ),
        ({"sampling.tail.slow": None}, "threshold of slow traces 2s → none"),
        ({"backend.protect": False}, "protection of the stored traces on → off"),
        ({"load.spans_per_second": 1500}, "expected load 2,000 spans/s → 1,500 spans/s"),
        (
            {("sampling", "strategies", "services", "portal", "operations", "GET /healthz"): "1 %"},
            'operation sampling ratio of "GET /healthz" of "portal" 0.1 % → 1 %',
        ),
        (
            {("sampling", "targets", "chain", "virtengine.market.v1.Query/Orders", "traces_per_second"): 7},
            'target rate of "virtengine.market.v1.Query/Orders" of "chain" 5 traces/s → 7 traces/s',
        ),
    ],
)
def test_a_sentence_reads_as_a_person_would_say_it(changes: samples.Changes, sentence: str) -> None:
    assert [change.sentence for change in diff("prod", changes).changes] == [sentence]


@pytest.mark.parametrize(
    ("base", "changes", "expected"),
    [
        ("prod", {"sampling.tail.baseline": "1 %"}, [("gateway", "restarts")]),
        ("prod", {"sampling.tail.noise": {}}, [("gateway", "restarts")]),
        ("prod", {"aggregation.span_metrics.dimensions": []}, [("agent", "restarts")]),
        ("prod", {"sampling.strategies.services.portal.ratio": "50 %"}, [("sampling", "reloads")]),
        ("prod", {"sampling.head_ratio": "50 %", "sampling.tail.wait": "10s"}, [("gateway", "restarts"), ("sampling", "reloads")]),
        ("prod", {"sampling.targets": {}}, []),
        ("prod", {"retention.traces": "14d"}, [("jaeger", "restarts")]),
        ("prod-tempo", {"retention.traces": "14d"}, [("tempo", "restarts")]),
        ("prod", {"backend.protect": False}, []),
        ("prod", {"backend.volume.size": "600Gi"}, []),
        ("prod", {"backend.volume.storage_class": "slow"}, [("jaeger", "restarts")]),
        ("prod", {"backend.resources.memory": "9Gi"}, [("jaeger", "restarts")]),
        ("prod", {"collectors.agent.queue.size": "2Gi"}, [("agent", "restarts")]),
        ("prod", {"access.operator_groups": ["others"]}, [("access", "restarts")]),
        ("prod", {"access": None}, [("access", "removed")]),
        ("prod-tempo", {"backend.grafana.cpu": "1"}, [("grafana", "restarts")]),
        ("prod-tempo-s3", {"backend.storage.credentials_secret": "other"}, [("tempo", "restarts")]),
        ("prod", {"ingest.namespaces": ["a"]}, []),
        # Pods are annotated for a scrape; zones are spread over by those that have several.
        (
            "prod",
            {"monitoring.scraping": "service-monitors"},
            [(w, "restarts") for w in ("agent", "gateway", "jaeger", "sampling", "access")],
        ),
        ("prod", {"target.pods.zones": "ignored"}, [(w, "restarts") for w in ("gateway", "sampling", "access")]),
        ("prod", {"ingest.token_secret": None}, [("agent", "restarts"), ("sampling", "restarts")]),
        ("prod", {"images.digests": {"otelcol-contrib": "sha256:" + "0" * 64}}, [("agent", "restarts"), ("gateway", "restarts")]),
        ("prod", {"images.digests": {"busybox": "sha256:" + "0" * 64}}, [("agent", "restarts"), ("gateway", "restarts")]),
    ],
)
def test_what_a_change_touches_restarts_or_reloads_and_nothing_else_does(
    base: str, changes: samples.Changes, expected: list[tuple[str, str]]
) -> None:
    assert effects(diff(base, changes)) == expected


def test_more_gateways_scale_and_agents_restart_to_divide_the_traces_anew() -> None:
    old, new = (samples.named("prod", {"load.spans_per_second": 100, "collectors.gateway.replicas": n}) for n in (3, 4))
    found = difference(old, new)
    assert effects(found) == [("agent", "restarts"), ("gateway", "scales")]
    (change,) = found.changes
    assert change.consequence is not None
    assert "traces under way are decided in two pieces" in change.consequence


def test_another_place_removes_and_creates_every_workload() -> None:
    found = diff("prod", {"namespace": "elsewhere"})
    names = {w.name for w in samples.planned("prod").workloads}
    assert set(effects(found)) == {(name, effect) for name in names for effect in ("removed", "created")}
    assert found.changes[0].consequence is not None
    assert "made anew" in found.changes[0].consequence


def test_another_backend_takes_the_workloads_of_the_old_one_away() -> None:
    found = difference(samples.named("prod"), samples.named("prod-tempo"))
    assert {("jaeger", "removed"), ("tempo", "created"), ("grafana", "created"), ("gateway", "restarts")} <= set(effects(found))
    kind = next(change for change in found.changes if change.key == "backend.kind")
    assert kind.sentence == "backend jaeger → tempo"
    assert (
        kind.consequence == "traces stored so far stay where they are and are not moved; the volume is protected and refuses to be deleted"
    )


def test_the_sizes_of_two_kinds_of_volume_are_not_compared() -> None:
    changes = difference(samples.named("prod"), samples.named("prod-tempo")).changes
    assert [change.key for change in changes if change.key.endswith(".size") and change.consequence] == []


def test_what_cannot_be_undone_is_said() -> None:
    def consequence(base: str, changes: samples.Changes) -> str:
        (change,) = diff(base, changes).changes
        return change.consequence or ""

    assert "cannot shrink" in consequence("prod", {"backend.volume.size": "400Gi"})
    assert "grows in place" in consequence("prod", {"backend.volume.size": "2Ti"})
    assert "lost" in consequence("prod", {"backend.volume.storage_class": "slow"})
    assert "would delete" in consequence("prod", {"backend.protect": False})
    assert "power cut" in consequence("prod", {"backend.sync_writes": False})
    assert "no longer be read" in consequence("prod-tempo-s3", {"backend.storage.bucket": "another"})


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """The paths of prod and of prod with another baseline."""
    paths = tmp_path / "Pulumi.a.yaml", tmp_path / "Pulumi.b.yaml"
    for path, share in zip(paths, ("5 %", "1 %"), strict=True):
        path.write_text(samples.text(samples.settings("prod", {"sampling.tail.baseline": share})))
    return str(paths[0]), str(paths[1])


def test_the_exit_status_tells_change_none_and_failure_apart(
    two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", two[0], two[0]]) == 0
    assert capsys.readouterr().out == f"{two[0]} and {two[0]} are the same\n"
    assert main(["diff", *two]) == 1
    assert main(["diff", two[0], two[0], "--json"]) == 0
    assert main(["diff", two[0], two[0], "--documents"]) == 0
    for arguments in ([two[0], str(tmp_path / "none.yaml")], [str(tmp_path / "none.yaml"), two[0]]):
        capsys.readouterr()
        assert main(["diff", *arguments]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "no such file" in said.err


def test_the_table_and_the_json_say_the_same(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["diff", *two])
    table = capsys.readouterr().out
    main(["diff", *two, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "changes": [
            {
                "key": "sampling.tail.baseline",
                "old": "5 %",
                "new": "1 %",
                "sentence": "baseline sampling 5 % → 1 %",
                "consequence": "agents send the traces that wait as the gateways restart again, and the new rules hold for them",
            }
        ],
        "workloads": [{"workload": "gateway", "effect": "restarts", "because": ["collector.yaml"], "loses": None, "waits": None}],
    }
    for part in ("baseline sampling 5 % → 1 %", found["changes"][0]["consequence"], "gateway", "restarts", "collector.yaml"):
        assert part in table


def test_the_raw_difference_is_that_of_the_documents(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *two, "--documents"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["--- a/gateway/collector.yaml", "+++ b/gateway/collector.yaml"]
    changed = [line for line in lines[2:] if line[0] in "+-"]
    assert [line.split() for line in changed] == [["-", "sampling_percentage:", "5.0"], ["+", "sampling_percentage:", "1.0"]]


def test_a_revision_of_git_is_compared_with_the_file_of_today(repository: Path) -> None:
    path = repository / "Pulumi.prod.yaml"
    path.write_text(path.read_text().replace("traces: 30d", "traces: 14d"))
    found = difference(read("prod@HEAD", root=repository), read("prod", root=repository))
    assert [change.sentence for change in found.changes] == ["retention 30d → 14d"]
    samples.git(repository, "commit", "--quiet", "--all", "--message", "second")
    older, today = read("prod@HEAD~1", root=repository), read("prod", root=repository)
    assert difference(older, today) == found
    assert not difference(read("prod@HEAD", root=repository), today)
    assert (older.name, older.source) == ("prod", "Pulumi.prod.yaml@HEAD~1")
