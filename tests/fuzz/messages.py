"""Messages by their descriptors, with values that programs stumble over; and what a call of them ends with."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.fuzz import hostile
from tests.fuzz.choices import Choices

DEADLINE = 30.0
STREAMED = 0.5  # of a stream, which may go on for ever: so long it is read
#: How a server ends a call that it does not understand itself, or that made it stumble.
FAULTS = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


_NO_TEXT = {*_INTEGERS, FieldDescriptor.CPPTYPE_BOOL, FieldDescriptor.CPPTYPE_ENUM, FieldDescriptor.CPPTYPE_DOUBLE}


def message(descriptor: Descriptor, choose: Choices, known: dict[str, tuple[Any, ...]], depth: int = 0) -> Message:
    """A message of a type. `known` gives fields, by their names, values that mean something to the server."""
    made: Message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if depth > 3 or choose.chance(45):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for _ in range(choose.below(3)):
                if field.message_type is not None:
                    getattr(made, field.name).append(message(field.message_type, choose, known, depth + 1))
                else:
                    getattr(made, field.name).append(_value(field, choose, known))
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(message(field.message_type, choose, known, depth + 1))
        else:
            setattr(made, field.name, _value(field, choose, known))
    return made


def _value(field: FieldDescriptor, choose: Choices, known: dict[str, tuple[Any, ...]]) -> Any:
    kind = field.cpp_type
    if field.name in known and kind not in _NO_TEXT and choose.chance(75):
        text = choose.one(known[field.name])
        if field.type == FieldDescriptor.TYPE_BYTES:
            return text if isinstance(text, bytes) else text.encode()
        return text if isinstance(text, str) else text.decode("latin-1")
    if kind in _INTEGERS:
        least, most = _INTEGERS[kind]
        return max(least, min(most, choose.one(hostile.INTEGERS)))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return choose.chance(50)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return choose.one([each.number for each in field.enum_type.values])
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return choose.one((0.0, -1.0, float("nan"), float("inf")))
    text = hostile.text(choose)
    return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text


def call(channel: grpc.Channel, method: str, sent: list[bytes], stream: bool) -> grpc.StatusCode:
    """The code that a call of raw messages ends with; only so much of a stream of answers is read."""
    identity = bytes
    if not stream:
        make = channel.unary_unary(method, identity, identity)
        try:
            make(sent[0], timeout=DEADLINE)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK
    calls = channel.stream_stream(method, identity, identity)(iter(sent), timeout=STREAMED)
    try:
        for number, _ in enumerate(calls):
            if number > 20:
                calls.cancel()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK
