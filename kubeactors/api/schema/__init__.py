"""The schema of Kubernetes v1.37: types of every built-in kind, decoding by them, merge keys.

Definitions come from the PyPI package kubernetes-validate; `overlay` adds what they lack.
"""

from kubeactors.api.schema.decoder import DecodeProblems, Decoder, decoder_for
from kubeactors.api.schema.definitions import closure, definition
from kubeactors.api.schema.mismatch import TypeMismatchError
from kubeactors.api.schema.types import Field, ListType, MapType, Scalar, SchemaType, Struct, struct

__all__ = [
    "DecodeProblems",
    "Decoder",
    "Field",
    "ListType",
    "MapType",
    "Scalar",
    "SchemaType",
    "Struct",
    "TypeMismatchError",
    "closure",
    "decoder_for",
    "definition",
    "struct",
]
