"""A move in three environments: what `diff` says of the days, and that a store is compared with itself wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.changes.diff import difference
from stacks.show.describe import describe
from tests.stacks import samples

if TYPE_CHECKING:
    from stacks.changes.diff import Difference
    from stacks.environment.source import Named

MOVE = samples.settings("prod-move")["backend"]
SEARCH = {key: value for key, value in MOVE.items() if key != "also"}
BADGER, ALSO = MOVE["also"]["store"], MOVE["also"]


def only(backend: object, retention: str) -> Named:
    return samples.named("prod-move", {"backend": backend, "retention.traces": retention})


def both(**changed: object) -> Named:
    return samples.named("prod-move", {f"backend.also.{key}": value for key, value in changed.items()})


OLD, NEW = only(BADGER, "30d"), only(SEARCH, "14d")


def told(found: Difference) -> str:
    return next(str(change.consequence) for change in found.changes if change.key == "backend.also")


def test_a_second_store_comes_and_the_days_until_the_old_one_can_go_are_said() -> None:
    found = difference(OLD, both())
    assert "badger has older ones, and can be taken away without a loss from 2026-12-27 on" in told(found)
    assert "traces go to opensearch (search) too from now on, and opensearch (search) is asked first" in told(found)
    without = difference(OLD, both(since=samples.ABSENT))
    assert "without a loss 30d after both were deployed" in told(without)
    assert "not moved" not in " ".join(str(change.consequence) for change in found.changes), "nothing is left behind"


def test_the_old_store_keeps_its_workload_its_claim_and_its_settings() -> None:
    found = difference(OLD, both())
    effects = {change.workload: change.effect for change in found.workloads}
    created = ("jaeger-search", "query-search", "cleaner-search")
    assert effects == {"gateway": "restarts", "access": "restarts"} | dict.fromkeys(created, "created")
    of_badger = [change.key for change in found.changes if change.key.startswith("backend.also.store") and change.old != change.new]
    assert of_badger == [], "Badger is as it was"


def test_going_too_soon_is_said_to_lose_what_the_old_store_alone_has() -> None:
    found = difference(both(), NEW)
    assert "nothing is lost from 2026-12-27 on, and on any day before that the traces of before 2026-11-26 that badger has" in told(found)
    assert "protected and refuses to be deleted: deploy protect: false before" in told(found)
    effects = {change.workload: change.effect for change in found.workloads}
    assert effects == {"gateway": "restarts", "jaeger": "removed"}, "what stays has its names, its queues and its documents"
    back = told(difference(both(), OLD))
    assert "nothing is lost from 2026-12-11 on, and on any day before that" in back
    assert "what it has stays there" in back


def test_a_changed_retention_of_each_store_is_said_of_that_store() -> None:
    by_key = {change.key: change.consequence for change in difference(both(), both(retention="20d")).changes}
    assert by_key == {"backend.also.retention": "on Badger spans already written keep their 30d"}
    named = samples.named("prod-move", {"retention.traces": "7d"})
    by_key = {change.key: change.consequence for change in difference(both(), named).changes}
    assert by_key.keys() == {"retention.traces"}
    assert "traces older than 7d are no longer found once Jaeger has restarted" in str(by_key["retention.traces"])


def test_stores_that_change_places_are_asked_in_another_order_and_keep_their_names() -> None:
    turned = samples.named(
        "prod-move", {"backend": BADGER | {"also": ALSO | {"store": SEARCH, "retention": "14d"}}, "retention.traces": "30d"}
    )
    found = difference(both(), turned)
    assert told(found) == "badger is asked first, and both have what they had"
    assert {change.workload for change in found.workloads} <= {"gateway", "access"}


def test_an_environment_that_keeps_neither_store_is_told_so() -> None:
    other = only({"kind": "tempo", "storage": {"kind": "volume", "size": "1Ti"}}, "14d")
    assert "in none of these stores and are not moved: write the one that has them below also first" in told(difference(both(), other))


def test_check_says_of_each_store_from_when_on_it_can_go() -> None:
    named = both()
    said = dict(describe(named.environment, samples.planned("prod-move")))
    assert said["also"].startswith("Jaeger 2.20.0 on Badger (tried with 4.8.0 in Jaeger 2.13.0), 1Ti")
    assert "without a loss badger can be taken away from 2026-12-27 on, and opensearch (search) from 2026-12-11 on" in said["move"]


def test_check_does_not_say_that_a_store_is_asked_which_has_no_api_for_it() -> None:
    silent = {"kind": "otlp", "name": "old", "endpoint": "https://old.example.org:4317", "ui_url": "https://ui.example.org"}
    first = {key: value for key, value in SEARCH.items() if key != "name"}
    changes: samples.Changes = {"backend": first | {"also": {"store": silent}}}
    said = dict(describe(samples.named("prod-move", changes).environment, samples.planned("prod-move", changes=changes)))
    assert "not read from here" in said["also"]
    told = "opensearch alone is asked from here, and https://old.example.org:4317 (old) is read in its own user interface"
    assert told in said["move"]
    assert "for what it lacks" not in said["move"]


def turned_into(base: samples.Changes, **second: object) -> Difference:
    """What becomes of two stores, of which the first and the settings of ``second`` are changed."""
    backend = {**SEARCH, **base}
    return difference(both(), samples.named("prod-move", {"backend": backend | {"also": ALSO | {"store": BADGER | second}}}))


def test_a_store_elsewhere_that_is_renamed_keeps_its_traces_and_is_said_to() -> None:
    found = turned_into({"name": "find"})
    by_key = {change.key: str(change.consequence) for change in found.changes}
    assert by_key["backend.also"] == "both have what they had"
    assert "what is stored stays and is found; what waits for it in the gateways' queues is not delivered" in by_key["backend.name"]
    assert "no longer found" not in " ".join(by_key.values())
    effects = {change.workload: change.effect for change in found.workloads}
    assert (effects["jaeger-search"], effects["jaeger-find"]) == ("removed", "created")
    alone = difference(only(SEARCH, "14d"), only({**SEARCH, "name": "find"}, "14d"))
    (renamed,) = [change.consequence for change in alone.changes if change.key == "backend.name"]
    assert renamed == by_key["backend.name"], "with a second store and without one"


def test_a_renamed_second_store_with_a_volume_is_another_one() -> None:
    found = turned_into({}, volume={"size": "2Ti"})
    assert "backend.also" not in {change.key for change in found.changes}, "it has its name and its claim"
    backend = {**{key: value for key, value in SEARCH.items() if key != "name"}, "also": ALSO | {"store": BADGER | {"name": "old"}}}
    named = difference(both(), samples.named("prod-move", {"backend": backend}))
    assert "that badger has are no longer found" in told(named)


def test_another_kind_of_search_at_the_same_servers_has_the_same_traces() -> None:
    storage = {**SEARCH["storage"], "kind": "elasticsearch"}
    for found in (turned_into({"storage": storage}), difference(only(SEARCH, "14d"), only({**SEARCH, "storage": storage}, "14d"))):
        by_key = {change.key: str(change.consequence) for change in found.changes}
        assert "traces stored so far stay and are found" in by_key["backend.storage.kind"]
        assert "no longer found" not in " ".join(by_key.values())
        assert by_key.get("backend.also") in {None, "both have what they had"}
