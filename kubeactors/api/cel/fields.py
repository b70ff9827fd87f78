"""Objects that may have any field."""

from collections.abc import Iterator, Mapping
from typing import Final

from kubeactors.api.cel.types import DYN, Type


class _AnyFields(Mapping[str, Type]):
    """Every name is that of a field, of any type."""

    def __getitem__(self, name: str) -> Type:
        return DYN

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True


ANY_FIELDS: Final = _AnyFields()
