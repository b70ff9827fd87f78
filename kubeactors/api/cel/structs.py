"""Objects that an expression makes: `Object.spec{replicas: 1}`."""

from collections.abc import Iterator, Mapping
from typing import Any

from kubeactors.api.cel.types import Type
from kubeactors.api.cel.values import MISSING, Fields


class StructValue(Fields):
    """An object of a declared type."""

    __slots__ = ("fields", "type")

    def __init__(self, type: Type, fields: Mapping[str, Any]) -> None:
        self.type = type
        self.fields = fields

    def find(self, key: Any) -> Any:
        return self.fields.get(key, MISSING)

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)
