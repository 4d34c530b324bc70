"""The last words of a server are the line of its log that tells why it ended."""

from __future__ import annotations

import json

from components.local.last_words import LONGEST, last_words, without_passwords

WHY = "failed to initialize storage 'traces': manifest has bad magic"


def test_the_last_line_that_looks_like_an_error_is_told_without_its_time() -> None:
    log = ["2026/11/27 01:56:31 version 2.13.0", f"2026/11/27 01:56:31 {WHY}", "goodbye", ""]
    assert last_words(log) == WHY


def test_a_line_in_json_is_told_by_its_message_and_its_error() -> None:
    log = [
        json.dumps({"level": "error", "ts": "2026-11-27T01:56:31Z", "msg": "Failed to start extension", "error": WHY}),
        json.dumps({"level": "info", "msg": "shutdown complete without an error"}),
    ]
    assert last_words(log) == f"Failed to start extension: {WHY}"


def test_a_panic_is_told_and_not_the_stack_that_follows_it() -> None:
    log = ["panic: freepages: failed to get all reachable pages", "", "goroutine 1 [running]:", "go.etcd.io/bbolt.errorOf(0x1)"]
    assert last_words(log) == log[0]


def test_without_an_error_the_last_line_is_told() -> None:
    assert last_words(["one", "two"]) == "two"
    assert last_words([" "]) is None


def test_a_long_line_keeps_its_begin_and_the_cause_at_its_end() -> None:
    words = last_words([f"Error: no store: {'while opening ' * 50}: {WHY}"])
    assert words is not None
    assert words.startswith("Error: no store")
    assert words.endswith(WHY)
    assert len(words) <= LONGEST


def test_a_password_in_a_url_is_not_told() -> None:
    assert last_words(["Error: cannot reach https://user:secret@store:9200/x"]) == "Error: cannot reach https://***@store:9200/x"
    assert without_passwords("http://store/a@b") == "http://store/a@b"
