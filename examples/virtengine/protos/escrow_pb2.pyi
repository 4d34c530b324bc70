from examples.virtengine.protos import auth_pb2 as _auth_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Account(_message.Message):
    __slots__ = ("order_id", "deposit", "settled")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    deposit: int
    settled: int
    def __init__(self, order_id: _Optional[str] = ..., deposit: _Optional[int] = ..., settled: _Optional[int] = ...) -> None: ...

class MsgDeposit(_message.Message):
    __slots__ = ("order_id", "amount", "required", "signature")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    amount: int
    required: int
    signature: _auth_pb2.Signature
    def __init__(self, order_id: _Optional[str] = ..., amount: _Optional[int] = ..., required: _Optional[int] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgDepositResponse(_message.Message):
    __slots__ = ("account", "tx_hash")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    account: Account
    tx_hash: str
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class MsgSettle(_message.Message):
    __slots__ = ("order_id", "amount", "signature")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    amount: int
    signature: _auth_pb2.Signature
    def __init__(self, order_id: _Optional[str] = ..., amount: _Optional[int] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgSettleResponse(_message.Message):
    __slots__ = ("account", "tx_hash")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    account: Account
    tx_hash: str
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class MsgWithdraw(_message.Message):
    __slots__ = ("order_id", "signature")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    signature: _auth_pb2.Signature
    def __init__(self, order_id: _Optional[str] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgWithdrawResponse(_message.Message):
    __slots__ = ("amount", "tx_hash")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    amount: int
    tx_hash: str
    def __init__(self, amount: _Optional[int] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class QueryAccountRequest(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    def __init__(self, order_id: _Optional[str] = ...) -> None: ...

class QueryAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...
