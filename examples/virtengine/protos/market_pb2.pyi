from examples.virtengine.protos import auth_pb2 as _auth_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrderState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATE_UNSPECIFIED: _ClassVar[OrderState]
    ORDER_STATE_OPEN: _ClassVar[OrderState]
    ORDER_STATE_ACTIVE: _ClassVar[OrderState]
    ORDER_STATE_CLOSED: _ClassVar[OrderState]
    ORDER_STATE_FAILED: _ClassVar[OrderState]
ORDER_STATE_UNSPECIFIED: OrderState
ORDER_STATE_OPEN: OrderState
ORDER_STATE_ACTIVE: OrderState
ORDER_STATE_CLOSED: OrderState
ORDER_STATE_FAILED: OrderState

class Order(_message.Message):
    __slots__ = ("id", "account", "cpu_units", "deposit", "state")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CPU_UNITS_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    id: str
    account: str
    cpu_units: int
    deposit: int
    state: OrderState
    def __init__(self, id: _Optional[str] = ..., account: _Optional[str] = ..., cpu_units: _Optional[int] = ..., deposit: _Optional[int] = ..., state: _Optional[_Union[OrderState, str]] = ...) -> None: ...

class Bid(_message.Message):
    __slots__ = ("order_id", "provider_id", "price")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    provider_id: str
    price: int
    def __init__(self, order_id: _Optional[str] = ..., provider_id: _Optional[str] = ..., price: _Optional[int] = ...) -> None: ...

class MsgCreateOrder(_message.Message):
    __slots__ = ("order", "signature")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    order: Order
    signature: _auth_pb2.Signature
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgCreateOrderResponse(_message.Message):
    __slots__ = ("order", "tx_hash")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    order: Order
    tx_hash: str
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class MsgCreateBid(_message.Message):
    __slots__ = ("bid", "signature")
    BID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    bid: Bid
    signature: _auth_pb2.Signature
    def __init__(self, bid: _Optional[_Union[Bid, _Mapping]] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgCreateBidResponse(_message.Message):
    __slots__ = ("lease_id", "tx_hash")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    tx_hash: str
    def __init__(self, lease_id: _Optional[str] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class MsgCloseOrder(_message.Message):
    __slots__ = ("order_id", "signature")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    signature: _auth_pb2.Signature
    def __init__(self, order_id: _Optional[str] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgCloseOrderResponse(_message.Message):
    __slots__ = ("order", "tx_hash")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    order: Order
    tx_hash: str
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class MsgImportOrdersResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class QueryOrderRequest(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    def __init__(self, order_id: _Optional[str] = ...) -> None: ...

class QueryOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: Order
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class QueryOrdersRequest(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: OrderState
    def __init__(self, state: _Optional[_Union[OrderState, str]] = ...) -> None: ...
