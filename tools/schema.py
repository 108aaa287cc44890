"""Makes `lk_pyodide/core/_schema.binpb`: LiveKit's signalling messages as a small FileDescriptorSet.

The official package `livekit-protocol` is the only source. Importing it in a page costs more than a second and cannot
be done in part, so the build takes from it the messages that a client uses and leaves out everything else: options
(which need LiveKit's own extensions), services, comments, JSON names.

The build hook (`hatch_build.py`) calls `write`; `python -m tools.schema` does the same in a checkout. This file imports
nothing of the project, because a build runs it from an unpacked sdist.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

SCHEMA = Path("lk_pyodide/core/_schema.binpb")

ROOTS = (
    "livekit.SignalRequest",
    "livekit.SignalResponse",
    "livekit.DataPacket",
    "livekit.WrappedJoinRequest",
    # carried as bytes inside WrappedJoinRequest and EncryptedPacket: no field leads to them
    "livekit.JoinRequest",
    "livekit.EncryptedPacketPayload",
)


class SchemaError(Exception):
    """The installed livekit-protocol is not what this tool knows."""


def build() -> bytes:
    """The trimmed schema, serialised: the same bytes for the same livekit-protocol, whatever the protobuf backend."""
    files = _protocol_files()
    reached = _reachable(files)
    trimmed = FileDescriptorSet()
    for file in _in_dependency_order(files):
        _trim_file(file, reached)
        if file.message_type or file.enum_type:
            trimmed.file.append(file)
    _set_dependencies(trimmed)
    return trimmed.SerializeToString(deterministic=True)


def write(root: Path) -> Path:
    """Writes the schema below `root` (the checkout) and returns its path; an unchanged file keeps its time stamp."""
    data = build()
    path = root / SCHEMA
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path


def _protocol_files() -> dict[str, FileDescriptorProto]:
    """The files that LiveKit's signalling is defined in, by name, with all that they import."""
    # `livekit` is a namespace package without __init__, and livekit.protocol's own __init__ imports every module it
    # has, so importing one module is as good (and as slow) as importing all of them
    from livekit.protocol import models, rtc

    files: dict[str, FileDescriptorProto] = {}

    def collect(descriptor: FileDescriptor) -> None:
        if descriptor.name in files:
            return
        files[descriptor.name] = FileDescriptorProto.FromString(descriptor.serialized_pb)
        for dependency in descriptor.dependencies:
            collect(dependency)

    collect(rtc.DESCRIPTOR)
    collect(models.DESCRIPTOR)
    for file in files.values():
        if file.package.startswith("livekit") and file.syntax != "proto3":
            raise SchemaError(f"{file.name} is {file.syntax or 'not proto3'}; its options would carry meaning")
    return files


def _reachable(files: dict[str, FileDescriptorProto]) -> set[str]:
    """Full names (without the leading dot) of every message and enum that the roots lead to, map entries included."""
    fields = {name: message.field for file in files.values() for name, message in _messages(file)}
    missing = [root for root in ROOTS if root not in fields]
    if missing:
        raise SchemaError(f"livekit-protocol has no {', '.join(missing)}")
    reached: set[str] = set()
    todo = list(ROOTS)
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += [field.type_name.removeprefix(".") for field in fields.get(name, ()) if field.type_name]
    return reached


def _messages(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    todo = [(f"{file.package}.{message.name}", message) for message in file.message_type]
    while todo:
        name, message = todo.pop()
        yield name, message
        todo += [(f"{name}.{nested.name}", nested) for nested in message.nested_type]


def _in_dependency_order(files: dict[str, FileDescriptorProto]) -> list[FileDescriptorProto]:
    """A pool takes a file only after the files that it imports; ties are broken by name."""
    ordered: dict[str, FileDescriptorProto] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        for dependency in sorted(files[name].dependency):
            visit(dependency)
        ordered[name] = files[name]

    for name in sorted(files):
        visit(name)
    return list(ordered.values())


def _trim_file(file: FileDescriptorProto, reached: set[str]) -> None:
    for unused in ("options", "source_code_info", "service", "extension"):
        file.ClearField(unused)
    for message in [m for m in file.message_type if not _trim_message(m, f"{file.package}.{m.name}", reached)]:
        file.message_type.remove(message)
    _trim_enums(file, file.package, reached)


def _trim_message(message: DescriptorProto, name: str, reached: set[str]) -> bool:
    """Trims in place; False when nothing of it is needed. A message that only holds a needed type keeps no fields."""
    nested = [n for n in message.nested_type if not _trim_message(n, f"{name}.{n.name}", reached)]
    for unused in nested:
        message.nested_type.remove(unused)
    _trim_enums(message, name, reached)
    if name not in reached:
        message.ClearField("field")
        message.ClearField("oneof_decl")
    for unused_part in ("extension", "extension_range", "reserved_range", "reserved_name"):
        message.ClearField(unused_part)
    is_map_entry = message.options.map_entry
    message.ClearField("options")
    if is_map_entry:
        message.options.map_entry = True
    for field in message.field:
        _trim_field(field)
    for oneof in message.oneof_decl:
        oneof.ClearField("options")
    return name in reached or bool(message.nested_type or message.enum_type)


def _trim_field(field: FieldDescriptorProto) -> None:
    field.ClearField("json_name")
    unpacked = field.options.HasField("packed") and not field.options.packed
    field.ClearField("options")
    if unpacked:  # the one option that changes the bytes on the wire
        field.options.packed = False


def _trim_enums(holder: FileDescriptorProto | DescriptorProto, scope: str, reached: set[str]) -> None:
    for enum in [e for e in holder.enum_type if f"{scope}.{e.name}" not in reached]:
        holder.enum_type.remove(enum)
    for enum in holder.enum_type:
        _trim_enum(enum)


def _trim_enum(enum: EnumDescriptorProto) -> None:
    allow_alias = enum.options.allow_alias
    for unused in ("options", "reserved_range", "reserved_name"):
        enum.ClearField(unused)
    if allow_alias:  # without it a pool refuses two names for one number
        enum.options.allow_alias = True
    for value in enum.value:
        value.ClearField("options")


def _set_dependencies(trimmed: FileDescriptorSet) -> None:
    """Each file imports what its remaining fields use, and nothing else."""
    home = {name: file.name for file in trimmed.file for name, _ in _messages(file)}
    for file in trimmed.file:
        home |= {f"{file.package}.{enum.name}": file.name for enum in file.enum_type}
    for file in trimmed.file:
        used: set[str] = set()
        for _, message in _messages(file):
            for field in message.field:
                name = field.type_name.removeprefix(".")
                while name and name not in home:  # an enum inside a message lives where the message does
                    name = name.rpartition(".")[0]
                if name:
                    used.add(home[name])
        for unused in ("dependency", "public_dependency", "weak_dependency"):
            file.ClearField(unused)
        file.dependency.extend(sorted(used - {file.name}))


def _main() -> int:
    try:
        path = write(Path.cwd())
    except ImportError as error:
        print(f"livekit-protocol is needed to make the schema ({error}): run `make venv`", file=sys.stderr)
        return 1
    print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
