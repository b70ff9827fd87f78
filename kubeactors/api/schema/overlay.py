"""What the definitions lack: how Kubernetes' types are written back.

Go's encoder leaves an empty optional field out unless the field is a pointer, and always writes nested structs and
times that are no pointers. Neither shows in the published schema. `presence.json` says it for every type that kubectl's
binary holds (`protos/kubernetes_presence.py` makes it). Types that are not in it (those of apiextensions.k8s.io and
apiregistration.k8s.io) are listed here by their short names.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson

EMPTY: Final = object()  # stands for the empty value of the field's type
NULL: Final = None

# Optional booleans and numbers that are plain values: false and 0 are left out. All others are pointers.
_PLAIN_IN: Final[dict[str, frozenset[str]]] = {
    "APIServiceSpec": frozenset({"insecureSkipTLSVerify"}),
    "CustomResourceColumnDefinition": frozenset({"priority"}),
    "CustomResourceDefinitionCondition": frozenset({"observedGeneration"}),
    "CustomResourceDefinitionSpec": frozenset({"preserveUnknownFields"}),
    "CustomResourceDefinitionStatus": frozenset({"observedGeneration"}),
    "CustomResourceDefinitionVersion": frozenset({"deprecated"}),
    "JSONSchemaProps": frozenset(
        {
            "exclusiveMaximum",
            "exclusiveMinimum",
            "nullable",
            "uniqueItems",
            "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
        }
    ),
}

# Optional strings that are pointers: an empty one is stored.
_POINTERS_IN: Final[dict[str, frozenset[str]]] = {
    "CustomResourceDefinitionVersion": frozenset({"deprecationWarning"}),
    "CustomResourceSubresourceScale": frozenset({"labelSelectorPath"}),
    "JSONSchemaProps": frozenset({"$ref", "x-kubernetes-list-type", "x-kubernetes-map-type"}),
    "ServiceReference": frozenset({"path"}),
    "ValidationRule": frozenset({"reason"}),
    "WebhookClientConfig": frozenset({"url"}),
}

# Optional fields that are written even when empty.
_ALWAYS: Final[dict[str, Mapping[str, Any]]] = {
    "APIService": {"metadata": EMPTY, "spec": EMPTY, "status": EMPTY},
    "APIServiceCondition": {"lastTransitionTime": NULL},
    "APIServiceSpec": {"service": NULL},
    "CustomResourceDefinition": {"metadata": EMPTY, "status": EMPTY},
    "CustomResourceDefinitionCondition": {"lastTransitionTime": NULL},
    "CustomResourceDefinitionStatus": {"conditions": NULL, "acceptedNames": EMPTY, "storedVersions": NULL},
}

NO_DEFAULT: Final = object()

# Defaults of optional fields that are keys of lists, as the published schema has them.
_DEFAULTS: Final = {
    ("ContainerPort", "protocol"): "TCP",
    ("ServicePort", "protocol"): "TCP",
    ("LocalObjectReference", "name"): "",
}
_ZERO_DEFAULTS: Final[dict[str, Any]] = {"string": "", "int32": 0, "int64": 0, "boolean": False}


# Lists and maps of which an empty one is not a missing one: it is no choice to be defaulted, and validation refuses it.
_EMPTY_KEPT: Final = frozenset(
    {
        ("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies"),
        ("io.k8s.api.core.v1.PersistentVolumeSpec", "capacity"),
    }
)


def keeps_empty(owner: str, field: str) -> bool:
    """Whether an empty list or map of a field is told from a missing one."""
    return (owner, field) in _EMPTY_KEPT


def is_known(owner: str) -> bool:
    """Whether the presence of a definition's fields is known."""
    return owner in _presence()


def presence_of(owner: str, field: str) -> str:
    """`a`: always written; `p`: a pointer to a scalar; `n`: a pointer that is written as null; else empty."""
    return _presence().get(owner, {}).get(field, "")


def keeps_zero(owner: str, field: str, scalar: str, required: bool) -> bool:
    """Whether an empty value of a scalar field is stored."""
    known = _presence().get(owner)
    if known is not None:
        return field in known
    short = owner.rpartition(".")[2]
    if required or field in _POINTERS_IN.get(short, ()):
        return True
    return scalar != "string" and field not in _PLAIN_IN.get(short, ())


def default(owner: str, field: str, scalar: str, required: bool) -> Any:
    """The published default of a scalar field: of a required one its empty value; NO_DEFAULT when there is none."""
    if required:
        return _ZERO_DEFAULTS.get(scalar, NO_DEFAULT)
    return _DEFAULTS.get((owner.rpartition(".")[2], field), NO_DEFAULT)


def always_present(owner: str, required: Iterable[str]) -> Mapping[str, Any]:
    """Fields of a definition that are always written: EMPTY, as their type's empty value, or the value to write.

    A required pointer is not among them: nothing is written for a missing one, so that validation sees it.
    """
    known = _presence().get(owner)
    if known is not None:
        written = {"a": EMPTY, "n": NULL}
        return {f: written[code] for f, code in known.items() if code == "a" or (code == "n" and f not in required)}
    return dict.fromkeys(required, EMPTY) | dict(_ALWAYS.get(owner.rpartition(".")[2], {}))


@cache
def _presence() -> Mapping[str, Mapping[str, str]]:
    document: dict[str, dict[str, str]] = orjson.loads(files(__package__).joinpath("presence.json").read_bytes())
    return document
