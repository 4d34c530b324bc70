from examples.virtengine.protos import auth_pb2 as _auth_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScopeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCOPE_TYPE_UNSPECIFIED: _ClassVar[ScopeType]
    SCOPE_TYPE_DOCUMENT: _ClassVar[ScopeType]
    SCOPE_TYPE_EMAIL: _ClassVar[ScopeType]
    SCOPE_TYPE_FACE: _ClassVar[ScopeType]
SCOPE_TYPE_UNSPECIFIED: ScopeType
SCOPE_TYPE_DOCUMENT: ScopeType
SCOPE_TYPE_EMAIL: ScopeType
SCOPE_TYPE_FACE: ScopeType

class Scope(_message.Message):
    __slots__ = ("id", "type")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: ScopeType
    def __init__(self, id: _Optional[str] = ..., type: _Optional[_Union[ScopeType, str]] = ...) -> None: ...

class IdentityRecord(_message.Message):
    __slots__ = ("account", "level", "scopes")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    account: str
    level: int
    scopes: _containers.RepeatedCompositeFieldContainer[Scope]
    def __init__(self, account: _Optional[str] = ..., level: _Optional[int] = ..., scopes: _Optional[_Iterable[_Union[Scope, _Mapping]]] = ...) -> None: ...

class MsgSubmitScope(_message.Message):
    __slots__ = ("account", "scope", "signature")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    account: str
    scope: Scope
    signature: _auth_pb2.Signature
    def __init__(self, account: _Optional[str] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgSubmitScopeResponse(_message.Message):
    __slots__ = ("scope_id", "level", "tx_hash")
    SCOPE_ID_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    scope_id: str
    level: int
    tx_hash: str
    def __init__(self, scope_id: _Optional[str] = ..., level: _Optional[int] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class MsgRevokeScope(_message.Message):
    __slots__ = ("account", "scope_id", "signature")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    account: str
    scope_id: str
    signature: _auth_pb2.Signature
    def __init__(self, account: _Optional[str] = ..., scope_id: _Optional[str] = ..., signature: _Optional[_Union[_auth_pb2.Signature, _Mapping]] = ...) -> None: ...

class MsgRevokeScopeResponse(_message.Message):
    __slots__ = ("level", "tx_hash")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TX_HASH_FIELD_NUMBER: _ClassVar[int]
    level: int
    tx_hash: str
    def __init__(self, level: _Optional[int] = ..., tx_hash: _Optional[str] = ...) -> None: ...

class QueryIdentityRecordRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class QueryIdentityRecordResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: IdentityRecord
    def __init__(self, record: _Optional[_Union[IdentityRecord, _Mapping]] = ...) -> None: ...

class QueryScopesRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...
