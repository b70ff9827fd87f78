"""Label and field selectors: parsed once, matched often."""

from kubeactors.api.selectors.fields import FieldSelector, parse_field_selector
from kubeactors.api.selectors.labels import (
    EVERYTHING,
    NOTHING,
    LabelSelector,
    Requirement,
    SelectorError,
    from_label_selector,
    from_map,
    parse_label_selector,
)

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "FieldSelector",
    "LabelSelector",
    "Requirement",
    "SelectorError",
    "from_label_selector",
    "from_map",
    "parse_field_selector",
    "parse_label_selector",
]
