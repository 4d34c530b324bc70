"""The form of each secret: what its server would refuse is refused as it is taken."""

from __future__ import annotations

import json
import secrets
import subprocess
from typing import TYPE_CHECKING

import pytest

from stacks.deploy.secret_values import entry_of, known_keys, making, problem
from stacks.environment.source import read
from stacks.placement.outputs import ContractError, otlp_headers, outputs
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.pem import certificate

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan


def _plan() -> Plan:
    named = read("prod")
    return plan(named.environment, addresses_of(named), name=named.name)


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("cookie-secret", "five5", "16, 24 or 32 bytes"),
        ("cookie-secret", "a" * 40, "16, 24 or 32 bytes"),
        ("cookie-secret", "a" * 16 + "\r", "line break"),
        ("cookie-secret", "a" * 31 + " ", "blank"),
        ("token", "two words", "RFC 6750"),
        ("token", "Bearer abc", "RFC 6750"),
        ("token", "abc\r", "line break"),
        ("token", "", "empty"),
        ("token", "süß", "ASCII"),
        ("client-secret", " padded", "blank"),
        ("client-secret", "two\nlines", "line break"),
        ("access-key", "key\t", "control"),
        ("secret-key", "", "empty"),
        ("tls.crt", "no PEM", "-----BEGIN CERTIFICATE-----"),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
        ("tls.key", "no PEM", "-----BEGIN PRIVATE KEY-----"),
        ("tls.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----", "openssl pkey"),
        (".dockerconfigjson", "{", "auths"),
        (".dockerconfigjson", '{"auths": []}', "auths"),
        (".dockerconfigjson", '{"auths": {"registry.example": {}}}', "credential helper"),
    ],
)
def test_a_value_that_its_server_refuses_is_refused_without_saying_it(entry: str, value: str, said: str) -> None:
    told = problem(entry, value)
    assert told is not None
    assert said in told
    assert not value.strip() or value.strip() not in told


@pytest.mark.parametrize("length", [16, 24, 32])
def test_a_cookie_secret_is_a_key_as_text_or_as_base64(length: int) -> None:
    assert problem("cookie-secret", "k" * length) is None
    assert problem("cookie-secret", secrets.token_urlsafe(length)) is None


@pytest.mark.parametrize("value", ["a", "a-token", "a b", "a==", "=a", "a\r", "ä", "a.b_c~d+e/f", "Bearer x", "a,b", 'a"b'])
def test_a_token_is_taken_where_the_contract_takes_it_and_nowhere_else(value: str) -> None:
    try:
        otlp_headers(outputs(_plan()), value)
        right = True
    except ContractError:
        right = False
    assert (problem("token", value) is None) is right


def test_a_certificate_and_its_key_as_openssl_writes_them_are_right(tmp_path: Path) -> None:
    certified, key = certificate(tmp_path, "agent")
    subprocess.run(["openssl", "ec", "-in", tmp_path / "tls.key", "-out", tmp_path / "sec1.key"], check=True, capture_output=True)
    assert problem("tls.crt", certified) is None
    assert problem("tls.key", key) is None
    assert problem("tls.key", (tmp_path / "sec1.key").read_text()) is None


def test_a_pull_secret_as_docker_login_writes_it_is_right() -> None:
    assert problem(".dockerconfigjson", json.dumps({"auths": {"registry.example": {"auth": "dXNlcjpwYXNz"}}})) is None


def test_each_key_that_prod_reads_is_known_and_has_a_command() -> None:
    wanted = _plan()
    keys = known_keys(wanted)
    assert "tracing-ingest-token.token" in keys
    for key in keys:
        assert f"python -m stacks secret prod {key}" in making(entry_of(key, wanted), key, "prod")
    with pytest.raises(KeyError):
        entry_of("tracing-ingest-token.tokn", wanted)


@pytest.mark.parametrize("entry", ["token", "cookie-secret"])
def test_the_command_that_makes_a_secret_makes_a_right_one(entry: str) -> None:
    command = making(entry, f"s.{entry}", "prod").split(" | ")[0]
    made = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.rstrip("\n")
    assert problem(entry, made) is None
