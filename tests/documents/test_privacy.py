"""The privacy rules: what they must catch, and what they must leave alone."""

from __future__ import annotations

import json
import random
import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from components.documents import keys, wall
from components.documents.attributes import PRIVACY_RULES, any_of, patterns

if TYPE_CHECKING:
    from components.workload import PrivacyRule

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PHRASE = "abandon ability able about above absent absorb abstract absurd abuse access accident"

CAUGHT_VALUES = [
    ("email", "alice@example.org"),
    ("email", "user alice.b+tag@mail.example.co.uk not found"),
    ("email", "x" * 200 + "@example.org"),
    ("email", "/users?mail=alice%40example.org"),
    ("phone", "+4915112345678"),
    ("phone", "call +1 (555) 123-4567 now"),
    ("phone", "tel=%2B4915112345678"),
    ("phone", "0049 151 12345678"),
    ("bearer", "Bearer abcdefgh12345678"),
    ("bearer", "authorization: basic dXNlcjpwYXNzd29yZA=="),
    ("jwt", JWT),
    ("jwt", f"token was {JWT}, refused"),
    ("assigned-secret", "https://host/login?password=hunter2&next=/"),
    ("assigned-secret", '{"password": "hunter2"}'),
    ("assigned-secret", "api_key: 12345"),
    ("assigned-secret", '{"userPassword":"hunter2"}'),
    ("assigned-secret", "passwordHash=5f4dcc3b"),
    ("assigned-secret", "clientSecret: geheim"),
    ("assigned-secret", "csrftoken=Ab12"),
    ("assigned-secret", "postgres connect failed: pwd=geheim host=db"),
    ("private-key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
    ("private-key", "-----BEGIN PRIVATE KEY-----"),
    ("issued-token", "ghp_" + "a1B2" * 9),
    ("issued-token", "key AKIAIOSFODNN7EXAMPLE"),
    ("url-credentials", "postgres://keeper:geheim@db:5432/market"),
    ("national-phone", "(030) 901820-13"),
    ("national-phone", "202-555-0143"),
    ("extended-key", "xprv" + "9s21ZrQH143K" * 9),
    ("wallet-import-key", "5" + "HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"),
    # A digest has the form of a private key; hashes of transactions are written in capitals and stay.
    ("raw-private-key", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("raw-private-key", "0x9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("wallet-address", "virtengine1qyqszqgpqyqszqgpqyqszqgpqyqszqgpjnp7du"),
    ("mnemonic", PHRASE),
    ("mnemonic", f"restore wallet from: {PHRASE} {PHRASE}"),
]

LEFT_VALUES = [
    "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "00112233445566778899aabbccddeeff",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "2026-02-27T06:17:35Z",
    "2026-02-27T06:17:35.123456+00:00",
    "2026-02-27T06:17:35+01:00",
    "/virtengine.market.v1.Msg/CreateOrder",
    "market.keeper.CreateOrder",
    "virtengine.market.v1.Query/Orders",
    "/api/v1/orders/{order_id}/bids",
    "GET /users/:id/tokens",
    "POST /oauth2/token",
    "docker.io/otel/opentelemetry-collector-contrib:0.159.0",
    "v2.20.0-rc.1+build.5",
    "go1.26.2",
    "10.42.0.17",
    "192.168.100.200:4317",
    "2001:db8::1",
    "[::1]:16686",
    "1234567890",
    "15112345678",
    "3.14159",
    "1e-9",
    "500000uve",
    "select id, state from orders where owner = $1 and height > $2 order by id limit 100",
    "context deadline exceeded while waiting for block 1234567",
    "failed to create order: insufficient funds: 5uve is smaller than 10uve",
    "token_bucket exhausted",
    "password reset was sent",
    "tokens: 15, secrets rotated",
    "deployment web-7d4b9c6f5-x2x9z scaled",
    "https://traces.virtengine.example/trace/4bf92f3577b34da6a3ce929d0e0e4736",
    "MsgCreateOrder",
    "00",
    "",
]

CAUGHT_KEYS = [
    ("credential-keys", "password"),
    ("credential-keys", "db.password"),
    ("credential-keys", "http.request.header.authorization"),
    ("credential-keys", "http.request.header.set-cookie"),
    ("credential-keys", "user.api_key"),
    ("credential-keys", "X-Api-Key"),
    ("credential-words", "wallet.mnemonic"),
    ("credential-keys", "oauth.access_token"),
    ("credential-keys", "refresh-token"),
    ("credential-keys", "signer.private_key"),
    ("credential-keys", "Client.Secret"),
    ("personal-keys", "user.email"),
    ("personal-keys", "enduser.e-mail"),
    ("personal-keys", "customer.phone"),
    ("personal-keys", "user.full_name"),
    ("personal-keys", "veid.passport"),
    ("personal-keys", "veid.document_number"),
    ("personal-keys", "veid.birth_date"),
    ("personal-keys", "address.street"),
    ("credential-keys", "user_pass"),
    ("credential-words", "seedPhrase"),
    ("credential-words", "privkey"),
    ("credential-words", "authHeader"),
    ("credential-keys", "session.jwt"),
    ("credential-keys", "card.pin"),
    ("credential-camel-case", "dbPwd"),
    ("credential-camel-case", "userTokens"),
    ("personal-keys", "ssn"),
    ("personal-keys", "customer.iban"),
    ("personal-keys", "creditCard"),
    ("personal-camel-case", "customerCreditCardNumber"),
    ("credential-words", "userPassword"),
    ("credential-words", "passwordHash"),
    ("credential-words", "DBPASSWORD"),
    ("credential-words", "userpasswd2"),
    ("credential-words", "sshPassphraseOld"),
    ("credential-keys", "http.request.header.cookies"),
    ("credential-words", "aws.credentials.file"),
    ("credential-camel-case", "clientSecret"),
    ("credential-camel-case", "secretKey"),
    ("credential-camel-case", "JWTSecret"),
    ("credential-camel-case", "userApiKey"),
    ("credential-camel-case", "apiKeyId"),
    ("credential-camel-case", "walletPrivateKeyPem"),
    ("credential-camel-case", "db.accessToken2"),
    ("credential-camel-case", "xAuthToken"),
    ("credential-camel-case", "sessionTokens"),
    ("credential-camel-case", "aws.secretAccessKey"),
    ("credential-camel-case", "requestCookie"),
    ("personal-camel-case", "customerEmail"),
    ("personal-camel-case", "emailAddress"),
    ("personal-camel-case", "phoneNumber"),
    ("personal-camel-case", "billing.firstNameKana"),
    ("personal-camel-case", "holderBirthDate"),
    ("personal-camel-case", "passportNo"),
    ("personal-camel-case", "shippingStreet2"),
]

LEFT_KEYS = [
    "service.name",
    "http.route",
    "http.request.method",
    "http.response.status_code",
    "rpc.method",
    "rpc.service",
    "server.address",
    "url.path",
    "db.system.name",
    "k8s.pod.name",
    "k8s.namespace.name",
    "virtengine.order.id",
    "virtengine.block.height",
    "gas.token_count",
    "gen_ai.usage.input_tokens",
    "tokens",
    "secretariat.id",
    "emailer.queue",
    "exception.message",
    "exception.stacktrace",
    "code.function.name",
    "telemetry.sdk.name",
    "thread.name",
    "session.expired",
    "inputTokens",
    "tokenCount",
    "idTokenizer",
    "apiKeyboard",
    "emailerQueue",
    "telephonyRegion",
    "streetlightCount",
    "secretariatId",
    "compassHeading",
    "passed",
    "pass.count",
    "cookiecutter.template",
    "fullNameless",
    "publicKey",
    "keyName",
    "gen_ai.usage.output_tokens",
    "token_count",
    "next_page_token",
    "partition.key",
    "accessible_key",
    "pinned",
    "pipeline",
    "SPIN_COUNT",
    "SHIPPING_CITY",
    "VOICEMAIL",
    "userPassed",
    "validTokens",
]


def spelled(words: list[str]) -> list[str]:
    """A name in every spelling, alone and among other words."""
    capitals = [word.capitalize() for word in words]
    small, camel, pascal = "".join(words), words[0] + "".join(capitals[1:]), "".join(capitals)
    joined = [sign.join(words) for sign in "_-./"]
    apart = [*joined, *map(str.upper, joined), "-".join(capitals), small, small.upper(), camel]
    among = [f"x{sign}{name}{sign}of_last_year" for name in apart for sign in "_-./"] + [f"{name}s2" for name in apart]
    return [*apart, *among, pascal, f"{camel}Hash", f"their{pascal}", f"their{pascal}s", f"x.their{pascal}2OfLastYear"]


@pytest.mark.parametrize("words", [*keys.names(keys.CREDENTIALS), *keys.names(keys.PERSONAL)], ids="_".join)
def test_a_name_is_caught_in_every_spelling(words: list[str]) -> None:
    rules = [re.compile(pattern) for pattern in patterns("key")]
    assert [key for key in spelled(words) if not any(rule.search(key) for rule in rules)] == []


@pytest.mark.parametrize("word", sorted(keys.ABBREVIATED))
def test_an_abbreviation_is_caught_in_capitals_and_not_within_a_word(word: str) -> None:
    rules = [re.compile(pattern) for pattern in patterns("key")]
    for words in (each for each in [*keys.names(keys.CREDENTIALS), *keys.names(keys.PERSONAL)] if each[0] == word):
        capitals = "".join([word.upper(), *(other.capitalize() for other in words[1:])])
        for key in (f"their{capitals}", f"their{''.join(words).upper()}Hash", f"x.{capitals}OfLastYear"):
            assert any(rule.search(key) for rule in rules), key
        assert not any(rule.search(f"X{capitals.upper()}Q_COUNT") for rule in rules)


def rule(name: str) -> re.Pattern[str]:
    return re.compile(next(known.pattern for known in PRIVACY_RULES if known.name == name))


@pytest.mark.parametrize(("name", "value"), CAUGHT_VALUES)
def test_a_value_that_must_not_be_stored_is_caught(name: str, value: str) -> None:
    assert rule(name).search(value)


@pytest.mark.parametrize("value", LEFT_VALUES)
def test_a_value_that_operators_need_is_left_alone(value: str) -> None:
    assert [known.name for known in PRIVACY_RULES if known.matches == "value" and re.search(known.pattern, value)] == []


@pytest.mark.parametrize(("name", "key"), CAUGHT_KEYS)
def test_a_key_that_must_not_be_stored_is_caught(name: str, key: str) -> None:
    assert rule(name).search(key)


@pytest.mark.parametrize("key", LEFT_KEYS)
def test_a_key_that_operators_need_is_left_alone(key: str) -> None:
    assert [known.name for known in PRIVACY_RULES if known.matches == "key" and re.search(known.pattern, key)] == []


def test_every_rule_has_examples_here() -> None:
    assert {name for name, _ in CAUGHT_VALUES + CAUGHT_KEYS} == {known.name for known in PRIVACY_RULES}


def test_the_secret_itself_is_masked_and_not_only_its_name() -> None:
    for name, value, secret in (
        ("assigned-secret", "login?password=hunter2&next=/", "hunter2"),
        ("bearer", "Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("jwt", JWT, "dozjgNryP4J3jVmNHl0w5N"),
        ("mnemonic", PHRASE, "accident"),
        ("private-key", "-----BEGIN EC PRIVATE KEY-----\nMIIE\n-----END EC PRIVATE KEY-----", "MIIE"),
    ):
        assert secret not in rule(name).sub("****", value)


@pytest.mark.parametrize("known", PRIVACY_RULES, ids=lambda known: known.name)
def test_every_pattern_keeps_to_what_re2_reads_as_well(known: PrivacyRule) -> None:
    pattern = known.pattern
    re.compile(pattern)
    # RE2 has neither look-around nor back-references, and takes flags at the beginning alone.
    assert not re.search(r"\(\?[=!<]|\\[1-9]|\(\?P[=>]|\\Z", pattern)
    assert "(?" not in re.sub(r"^\(\?[is]\)", "", pattern)
    repeats = [int(number) for number in re.findall(r"\{(?:\d+,)?(\d+)\}", pattern)]
    assert all(number <= 1000 for number in repeats)


@pytest.mark.parametrize("known", PRIVACY_RULES, ids=lambda known: known.name)
def test_no_pattern_takes_long_on_a_long_value(known: PrivacyRule) -> None:
    # The library holds them against values with Python's re, where a pattern can take the square of the length.
    for part in ("a", "abcd ", "+1 ", "a.b-", "password ", "token=", "a@", "eyJaaaaaaaa", "-----BEGIN ", "bearer   "):
        value = (part * 20_000)[:20_000]
        began = time.process_time()
        re.search(known.pattern, value)
        assert time.process_time() - began < 0.5, part


def test_names_are_unique_and_each_says_what_it_means() -> None:
    assert len({known.name for known in PRIVACY_RULES}) == len(PRIVACY_RULES)
    assert all(len(known.meaning) > 10 for known in PRIVACY_RULES)
    assert len(patterns("key") + patterns("value")) == len(PRIVACY_RULES)


def test_the_collector_masks_all_that_a_rule_of_the_library_masks() -> None:
    ours = [known.pattern for known in PRIVACY_RULES if known.matches == "value"]
    texts = [text for _, text in CAUGHT_VALUES] + [f"{text} {other}" for (_, text), (_, other) in pairwise(CAUGHT_VALUES)]
    for rule, of_collector in zip(ours, patterns("value"), strict=True):
        for text in texts:
            masked = {place for found in re.finditer(of_collector, text) for place in range(*found.span())}
            assert masked >= {place for found in re.finditer(rule, text) for place in range(*found.span())}, text
    assert patterns("key") == [known.pattern for known in PRIVACY_RULES if known.matches == "key"]


FRAGMENTS = (
    *("sk_live_", "pk_test_", "github_pat_", "ghp_", "glpat-", "xoxb-", "AKIA", "ASIA", "AIza", "eyJ", "xprv", "5", "K", "c", "0x", "1"),
    *("bearer ", "Basic ", "password=", "password", "token:", "secret", "api_key", "mnemonic", "virtengine", "cosmosvaloper", "://a:b@"),
    *("a@b.de", "%40", "+49", "0049", "00", "(0221) ", "221 555 1234", "0221/5551", "-----BEGIN PRIVATE KEY-----", "GET ", "/", ".", "_"),
    *(" ", "\n", "abcdef", "abcdef0123", "ABCDEFGH", "word ", "abandon ", "12345678", "q", "Z"),
)


def test_what_is_left_unsearched_for_its_form_holds_nothing_that_a_rule_finds() -> None:
    chance = random.Random(11)  # noqa: S311 - to be repeated
    harmful, harmless = re.compile(any_of("value")), 0
    keys, text = (re.compile(pattern.removesuffix("$") + r"\Z") for pattern in (wall.HARMLESS_KEYS, wall.HARMLESS_TEXT))
    for _ in range(20_000):
        drawn = "".join(chance.choice(FRAGMENTS) * chance.choice((1, 1, 1, 2, 8, 40)) for _ in range(chance.randint(1, 5)))
        passed = keys.match(json.dumps([drawn, "http.route"], separators=(",", ":"))) or (text.match(drawn) and "eyJ" not in drawn)
        harmless += bool(passed)
        assert not (passed and harmful.search(drawn)), drawn
    assert harmless > 200


@pytest.mark.parametrize(
    "key", ["http.route", "rpc.method", "http.response.status_code", "virtengine.order.id", "k8s.pod.name", "db.system.name"]
)
def test_usual_keys_are_not_searched(key: str) -> None:
    assert re.match(wall.HARMLESS_KEYS, json.dumps([key, key], separators=(",", ":")))


@pytest.mark.parametrize("name", ["", "GET /orders", "POST /orders/items", "virtengine.market.v1.Msg/CreateOrder", "deploy", "job.run_all"])
def test_usual_names_are_not_searched(name: str) -> None:
    assert re.match(wall.HARMLESS_TEXT, name)
