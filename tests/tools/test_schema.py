"""The generated schema: small, the same everywhere, and true to livekit-protocol."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from livekit.protocol import models, rtc

from tools import schema
from tools.console import ROOT

OFFICIAL = rtc.DESCRIPTOR.pool

IN_BACKEND = """
import hashlib, sys
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation
from tools import schema
data = schema.build()
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
    pool.AddSerializedFile(file.SerializeToString())
classes = [message_factory.GetMessageClass(pool.FindMessageTypeByName(root)) for root in schema.ROOTS]
request = classes[0]()
request.offer.sdp = "v=0"
request.offer.mid_to_track_id["0"] = "TR_1"
assert classes[0].FromString(request.SerializeToString()) == request
print(api_implementation.Type(), hashlib.sha256(data).hexdigest())
"""


@pytest.fixture(scope="module")
def data() -> bytes:
    return schema.build()


@pytest.fixture(scope="module")
def files(data: bytes) -> list[FileDescriptorProto]:
    return list(FileDescriptorSet.FromString(data).file)


@pytest.fixture(scope="module")
def pool(files: list[FileDescriptorProto]) -> descriptor_pool.DescriptorPool:
    private = descriptor_pool.DescriptorPool()
    for file in files:
        private.AddSerializedFile(file.SerializeToString())
    return private


def messages(files: list[FileDescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    todo = [(f"{file.package}.{message.name}", message) for file in files for message in file.message_type]
    for name, message in todo:
        yield name, message
        todo += [(f"{name}.{nested.name}", nested) for nested in message.nested_type]


@pytest.mark.parametrize("backend", ["python", "upb"])
def test_every_backend_makes_the_same_bytes_and_can_load_them(backend: str, data: bytes) -> None:
    env = os.environ | {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": backend, "PYTHONHASHSEED": "7"}
    result = subprocess.run([sys.executable, "-c", IN_BACKEND], cwd=ROOT, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [backend, hashlib.sha256(data).hexdigest()]


def test_it_is_small(data: bytes) -> None:
    assert len(data) < 30_000


def test_only_what_the_roots_lead_to_is_kept(files: list[FileDescriptorProto]) -> None:
    names = {name for name, _ in messages(files)}
    assert set(schema.ROOTS) <= names
    assert {"livekit.RTPStats", "livekit.WebhookConfig", "livekit.Pagination"}.isdisjoint(names)
    assert [file.name for file in files] == [
        "google/protobuf/timestamp.proto",
        "livekit_metrics.proto",
        "livekit_models.proto",
        "livekit_rtc.proto",
    ]


def test_nothing_is_left_that_needs_an_extension(files: list[FileDescriptorProto]) -> None:
    for file in files:
        assert not file.HasField("options") and not file.HasField("source_code_info")
        assert not file.service and not file.extension
    for name, message in messages(files):
        assert not message.extension and not message.extension_range, name
        assert {option.name for option, _ in message.options.ListFields()} <= {"map_entry"}, name
        for field in message.field:
            assert not field.HasField("json_name"), (name, field.name)
            assert {option.name for option, _ in field.options.ListFields()} <= {"packed"}, (name, field.name)


def test_every_kept_field_is_as_in_livekit_protocol(
    files: list[FileDescriptorProto], pool: descriptor_pool.DescriptorPool
) -> None:
    compared = 0
    for name, message in messages(files):
        if message.field:
            ours, theirs = pool.FindMessageTypeByName(name), OFFICIAL.FindMessageTypeByName(name)
            assert [shape(field) for field in ours.fields] == [shape(field) for field in theirs.fields], name
            assert oneofs(ours) == oneofs(theirs), name
            compared += 1
    assert compared > 100


def shape(field: FieldDescriptor) -> tuple[object, ...]:
    kind = field.message_type or field.enum_type
    values = {value.name: value.number for value in field.enum_type.values} if field.enum_type else None
    kind_name = kind.full_name if isinstance(kind, Descriptor | EnumDescriptor) else None
    return (field.name, field.number, field.type, field.is_repeated, field.has_presence, field.is_packed) + (
        kind_name,
        values,
    )


def oneofs(message: Descriptor) -> dict[str, list[str]]:
    return {oneof.name: [field.name for field in oneof.fields] for oneof in message.oneofs}


def test_messages_read_what_livekit_protocol_writes(pool: descriptor_pool.DescriptorPool) -> None:
    theirs = rtc.SignalResponse()
    theirs.join.room.name = "r"
    theirs.join.participant.attributes["a"] = "b"
    theirs.join.other_participants.add(identity="ada", state=models.ParticipantInfo.State.ACTIVE)
    theirs.join.room.departure_timeout = 20
    response = message_factory.GetMessageClass(pool.FindMessageTypeByName("livekit.SignalResponse"))
    wire = theirs.SerializeToString()
    assert response.FromString(wire).SerializeToString(deterministic=True) == theirs.SerializeToString(
        deterministic=True
    )


def test_an_unchanged_schema_is_not_written_again(tmp_path: Path) -> None:
    path = schema.write(tmp_path)
    os.utime(path, (1, 1))
    assert schema.write(tmp_path) == path
    assert path.stat().st_mtime == 1
    path.write_bytes(b"old")
    schema.write(tmp_path)
    assert path.read_bytes() == schema.build()


def test_a_root_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "ROOTS", (*schema.ROOTS, "livekit.Gone"))
    with pytest.raises(schema.SchemaError, match=r"livekit\.Gone"):
        schema.build()
