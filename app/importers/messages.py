"""Protobuf messages of foreign files, declared with the fields that are read alone; all others are passed over.

Declared as optional, so that a field that is not there can be told from one that is 0. Text is declared as bytes: a
stray byte in some name must not cost the numbers beside it.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

NotAMessage = DecodeError
Message = Any  # what a declared class makes: one attribute a field, and HasField(name)

_KINDS = {"double": 1, "float": 2, "int64": 3, "int32": 5, "message": 11, "bytes": 12, "sfixed64": 16}
_OPTIONAL, _REPEATED = 1, 3


def declare(package: str, messages: Mapping[str, Mapping[str, tuple[int, str]]]) -> dict[str, Any]:
    """Message name -> its class.

    messages: message name -> field name -> its number and kind: a scalar's name, or that of another message declared
    here, with a * behind it where the field is repeated.
    """
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, kind) in fields.items():
            message.field.append(_field(package, field_name, number, kind))
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _field(package: str, name: str, number: int, kind: str) -> FieldDescriptorProto:
    label = _REPEATED if kind.endswith("*") else _OPTIONAL
    kind = kind.removesuffix("*")
    if kind in _KINDS:
        return FieldDescriptorProto(name=name, number=number, label=label, type=_KINDS[kind])
    return FieldDescriptorProto(
        name=name, number=number, label=label, type=_KINDS["message"], type_name=f".{package}.{kind}"
    )


def text(raw: bytes) -> str:
    """A name from a message."""
    return raw.decode(errors="replace")
