"""Signatures: which messages are transactions, whose account a key is, and what a key signs. Private keys stay where they were made."""

from __future__ import annotations

import copy
import hashlib
import os
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from examples.virtengine import bech32
from examples.virtengine.protos import auth_pb2, escrow_pb2, market_pb2, oracle_pb2, veid_pb2

if TYPE_CHECKING:
    from pathlib import Path

TxMessage: TypeAlias = (
    veid_pb2.MsgSubmitScope
    | veid_pb2.MsgRevokeScope
    | market_pb2.MsgCreateOrder
    | market_pb2.MsgCreateBid
    | market_pb2.MsgCloseOrder
    | escrow_pb2.MsgDeposit
    | escrow_pb2.MsgSettle
    | escrow_pb2.MsgWithdraw
)
"""What becomes a transaction, and so is signed."""
Signed: TypeAlias = TxMessage | oracle_pb2.MsgPostPrice
"""What a key signs: transactions, and observations for the oracle, which takes effect at once."""
_Message = TypeVar("_Message", bound=Signed)

_CURVE: Final = SECP256K1()
_ECDSA: Final = ECDSA(Prehashed(SHA256()))
_PREFIX: Final = "virtengine"
_ADDRESS_BYTES: Final = 20
_PUBLIC_KEY_BYTES: Final = 33
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 16
_KEYS_AT_HAND: Final = 1024
"""Of how many keys the point and the address are remembered: both are needed again with every transaction of an account."""


def digest(message: Signed) -> bytes:
    """Return what a signature signs: the SHA-256 of the type's full name and the message without the signature's value."""
    unsigned = copy.deepcopy(message)
    unsigned.signature.ClearField("value")
    return hashlib.sha256(message.DESCRIPTOR.full_name.encode() + unsigned.SerializeToString(deterministic=True)).digest()


def valid(signature: auth_pb2.Signature, signed: bytes) -> bool:
    """Whether a signature is one of its key over this digest."""
    if len(signature.public_key) != _PUBLIC_KEY_BYTES or len(signature.nonce) != _NONCE_BYTES:
        return False
    try:
        _point(signature.public_key).verify(signature.value, signed, _ECDSA)
    except (ValueError, InvalidSignature):
        return False
    return True


@lru_cache(_KEYS_AT_HAND)
def address(public_key: bytes) -> str:
    """Return the account of a public key: ``virtengine1`` and the first 20 bytes of its SHA-256 in bech32."""
    return bech32.encode(_PREFIX, hashlib.sha256(public_key).digest()[:_ADDRESS_BYTES])


@lru_cache(_KEYS_AT_HAND)
def _point(public_key: bytes) -> EllipticCurvePublicKey:
    return EllipticCurvePublicKey.from_encoded_point(_CURVE, public_key)


class Key:
    """A private key."""

    def __init__(self, private: EllipticCurvePrivateKey) -> None:
        self._private = private
        self._public = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.account: Final = address(self._public)

    @classmethod
    def make(cls) -> Self:
        """Make a key that nobody has."""
        return cls(generate_private_key(_CURVE))

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """Return the key of a secret. Raises ``ValueError`` for what is none. It takes half a millisecond."""
        if len(secret) != _SECRET_BYTES:
            raise ValueError(f"a key has {_SECRET_BYTES} bytes, not {len(secret)}")
        return cls(derive_private_key(int.from_bytes(secret), _CURVE))

    @property
    def secret(self) -> bytes:
        """The private key, 32 bytes: for the place where it is kept, and for no other."""
        return self._private.private_numbers().private_value.to_bytes(_SECRET_BYTES)

    def signed(self, message: _Message) -> _Message:
        """Sign a message as it is now, with a nonce of its own, and return it."""
        message.signature.CopyFrom(auth_pb2.Signature(public_key=self._public, nonce=secrets.token_bytes(_NONCE_BYTES)))
        message.signature.value = self._private.sign(digest(message), _ECDSA)
        return message


def kept_key(path: Path) -> Key:
    """Return the key in a file of mode 0600, which is made where there is none. Raises ``OSError``, and ``ValueError`` for no key."""
    if not path.exists():
        # Under another name first: a process that ends in the middle leaves no half a key.
        part = path.with_name(f"{path.name}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Key.make().secret)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    try:
        return Key.of(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} holds no key: {error}") from error
