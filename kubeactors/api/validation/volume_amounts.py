"""What volumes and claims say alike: access modes, volume modes and sizes."""

from typing import Any, Final

from kubeactors.api.choices import PERSISTENT_VOLUME_ACCESS_MODES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported
from kubeactors.api.quantity import Quantity

_ACCESS_MODES: Final = frozenset(PERSISTENT_VOLUME_ACCESS_MODES)


def access_mode_errors(modes: list[str], path: str) -> list[FieldError]:
    """Of the access modes of a volume or a claim."""
    errors: list[FieldError] = [not_supported(path, m, _ACCESS_MODES) for m in modes if m not in _ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(m != "ReadWriteOncePod" and m in _ACCESS_MODES for m in modes):
        errors.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def positive_quantity_errors(text: Any, path: str) -> list[FieldError]:
    return [invalid(path, str(text), "must be greater than zero")] if Quantity.parse(text).nanos <= 0 else []


def basic_quantity_errors(text: Any, path: str) -> list[FieldError]:
    """Not negative; the message shows the amount as a number."""
    quantity = Quantity.parse(text)
    return [invalid(path, quantity.value, "must be a valid resource quantity")] if quantity.nanos < 0 else []
