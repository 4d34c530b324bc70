"""Accounts and signatures: addresses in bech32, what a signature is over, and keys in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.virtengine import bech32, signing
from examples.virtengine.protos import escrow_pb2, market_pb2
from examples.virtengine.signing import Key, kept_key

ROOT = Path(signing.__file__).parents[2]


def test_bech32_is_that_of_bip_173() -> None:
    data = bytes.fromhex("00443214c74254b635cf84653a56d7c675be77df")
    assert bech32.encode("abcdef", data) == "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"
    assert bech32.encode("a", b"") == "a12uel5l"
    with pytest.raises(ValueError, match="multiple of 5"):
        bech32.encode("a", b"123")


def test_an_account_follows_from_the_public_key() -> None:
    key = Key.of((1).to_bytes(32))
    generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert key.signed(market_pb2.MsgCloseOrder()).signature.public_key.hex() == generator
    assert key.account == signing.address(bytes.fromhex(generator))
    assert key.account.startswith("virtengine1")
    assert len(key.account) == len("virtengine1") + 32 + 6


def test_a_signature_is_over_the_type_the_fields_the_key_and_the_nonce() -> None:
    message = Key.make().signed(escrow_pb2.MsgWithdraw(order_id="order-7"))
    signed = signing.digest(message)
    assert signing.valid(message.signature, signed)
    closing = market_pb2.MsgCloseOrder(order_id="order-7", signature=message.signature)
    assert closing.SerializeToString() == message.SerializeToString()
    for other in (closing, Key.make().signed(escrow_pb2.MsgWithdraw(order_id="order-7")), escrow_pb2.MsgWithdraw(order_id="order-7")):
        assert not signing.valid(message.signature, signing.digest(other))
    assert signing.digest(message) == signed, "nothing above has changed it"


def test_a_key_in_a_file_stays_the_same_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "provider.key"
    key = kept_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["provider.key"]
    assert (kept_key(path).account, path.read_bytes()) == (key.account, key.secret)


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), b"\xff" * 32])
def test_a_file_that_holds_no_key_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "provider.key"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"provider\.key holds no key: ") as refused:
        kept_key(path)
    assert path.read_bytes() == content
    assert str(2**256 - 1) not in str(refused.value)
