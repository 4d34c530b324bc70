"""People are sent to a user interface that is there."""

from __future__ import annotations

from stacks.show.trace import PLACEHOLDER_MARK, where_to_look
from tests.stacks.show.query_server import outputs_of, query_server

READ = "python -m stacks trace TRACE_ID dev"


def test_a_jaeger_that_was_built_without_its_interface_is_read_by_a_command() -> None:
    with query_server((200, b"<p>%b</p>" % PLACEHOLDER_MARK)) as (url, _):
        outputs = outputs_of(url).model_copy(update={"ui_url": url})
        said = where_to_look(outputs, READ)
    assert said == f"query API {url}; this Jaeger is built without its user interface, so read traces by: {READ}"


def test_the_login_before_such_a_jaeger_is_named_too() -> None:
    with query_server((200, PLACEHOLDER_MARK)) as (url, _):
        said = where_to_look(outputs_of(url).model_copy(update={"ui_url": "https://127.0.0.2:8443"}), READ)
    assert said.startswith(f"query API {url}, with a login https://127.0.0.2:8443; ")


def test_a_jaeger_with_its_interface_and_any_other_store_are_looked_at_there() -> None:
    with query_server((200, b"<title>Jaeger UI</title>")) as (url, _):
        outputs = outputs_of(url)
        assert where_to_look(outputs, READ) == f"user interface {outputs.ui_url}"
    tempo = outputs_of(url, "tempo")
    assert where_to_look(tempo, READ) == f"user interface {tempo.ui_url}"
