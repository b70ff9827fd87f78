"""The types that a Go executable describes, and those of them that are Kubernetes' API.

Types are walked from the ELF section .typelink as Go's package `internal/abi` lays them out (Go 1.26, linux/amd64, not
position-independent). kubectl holds every built-in type with the tags of its fields.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

BOOL, FIRST_INT, LAST_INT, MAP, POINTER, SLICE, STRING, STRUCT = 1, 2, 11, 21, 22, 23, 24, 25
UINT8 = 8
_EXTRA_STAR, _UNCOMMON = 2, 1
_EMBEDDED, _HAS_TAG = 8, 2
_HEADER = 48  # abi.Type
#: Structs that are one value in JSON, by package and name.
SPECIAL: Final = {
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "Time"): "time",
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "MicroTime"): "microtime",
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "FieldsV1"): "json",
    ("k8s.io/apimachinery/pkg/runtime", "RawExtension"): "json",
    ("k8s.io/apimachinery/pkg/api/resource", "Quantity"): "quantity",
    ("k8s.io/apimachinery/pkg/util/intstr", "IntOrString"): "intstr",
}
_API = re.compile(r"k8s\.io/(api/.*|apimachinery/pkg/apis/meta)/v[0-9]+")


class GoBinary:
    """The types that a Go executable describes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        table, count, names = (
            struct.unpack_from("<Q", data, 0x28)[0],
            struct.unpack_from("<H", data, 0x3C)[0],
            struct.unpack_from("<H", data, 0x3E)[0],
        )
        sections = [struct.unpack_from("<IIQQQQ", data, table + 64 * n) for n in range(count)]
        strings = sections[names][4]
        self._sections = {
            data[strings + name : data.index(b"\0", strings + name)].decode(): (address, offset, size)
            for name, _, _, address, offset, size in sections
        }
        self._loaded = [(a, o, s) for _, kind, _, a, o, s in sections if a and kind == 1]
        self._base = self._sections[".rodata"][0]

    def _offset(self, address: int) -> int:
        for start, offset, size in self._loaded:
            if start <= address < start + size:
                found: int = address - start + offset
                return found
        raise KeyError(hex(address))

    def word(self, address: int) -> int:
        found: int = struct.unpack_from("<Q", self._data, self._offset(address))[0]
        return found

    def _int32(self, address: int) -> int:
        found: int = struct.unpack_from("<i", self._data, self._offset(address))[0]
        return found

    def _byte(self, address: int) -> int:
        found: int = self._data[self._offset(address)]
        return found

    def _text(self, offset: int) -> tuple[str, int]:
        length = shift = 0
        while True:
            byte = self._data[offset]
            offset += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return self._data[offset : offset + length].decode(), offset + length

    def name(self, address: int) -> tuple[str, str, int]:
        """A name's text, its tag, its flags (abi.Name)."""
        offset = self._offset(address)
        flags = self._data[offset]
        text, offset = self._text(offset + 1)
        return text, self._text(offset)[0] if flags & _HAS_TAG else "", flags

    def kind(self, type_: int) -> int:
        return self._byte(type_ + 23) & 31

    def element(self, type_: int) -> int:
        """Of a pointer, slice or array; the value's of a map."""
        return self.word(type_ + (_HEADER + 8 if self.kind(type_) == MAP else _HEADER))

    def identity(self, type_: int) -> tuple[str, str]:
        """Package path and name; the path is empty for unnamed types."""
        text = self.name(self._base + self._int32(type_ + 40))[0]
        text = text[1:] if self._byte(type_ + 20) & _EXTRA_STAR else text
        if not self._byte(type_ + 20) & _UNCOMMON:
            return "", text
        size = _HEADER + {STRUCT: 32, POINTER: 8, SLICE: 8, MAP: 64}.get(self.kind(type_), 0)
        return self.name(self._base + self._int32(type_ + size))[0], text.rpartition(".")[2]

    def fields(self, struct_type: int) -> Iterator[tuple[str, bool, int]]:
        """Tag, whether embedded, and type of each field."""
        first, count = self.word(struct_type + _HEADER + 8), self.word(struct_type + _HEADER + 16)
        for n in range(count):
            _, tag, flags = self.name(self.word(first + 24 * n))
            yield tag, bool(flags & _EMBEDDED), self.word(first + 24 * n + 8)

    def structs(self) -> Iterator[int]:
        """Every struct type that can be reached."""
        _, offset, size = self._sections[".typelink"]
        pending = [self._base + struct.unpack_from("<i", self._data, offset + 4 * n)[0] for n in range(size // 4)]
        seen: set[int] = set()
        while pending:
            type_ = pending.pop()
            if type_ in seen:
                continue
            seen.add(type_)
            kind = self.kind(type_)
            if kind in (POINTER, SLICE, MAP):
                pending.append(self.element(type_))
            elif kind == STRUCT:
                pending.extend(field for _, _, field in self.fields(type_))
                yield type_


def definition(package: str, name: str) -> str:
    """`io.k8s.api.core.v1.Pod`: the name in OpenAPI."""
    return "io." + package.replace("k8s.io", "k8s").replace("/", ".") + "." + name


def api_structs(binary: GoBinary) -> Iterator[tuple[str, int]]:
    """Name in OpenAPI and type of every struct of a stable group version."""
    for struct_type in binary.structs():
        package, name = binary.identity(struct_type)
        if _API.fullmatch(package) and (package, name) not in SPECIAL:
            yield definition(package, name), struct_type


def json_name(tag: str) -> tuple[str, list[str]]:
    """The field's name in JSON (empty: none of its own) and its options, `omitempty` and the like."""
    written = re.search(r'json:"([^"]*)"', tag)
    name, *options = written.group(1).split(",") if written else [""]
    return name, options
