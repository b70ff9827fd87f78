"""Decoding of custom resources: metadata by its type, everything else by the structural schema."""

from typing import Any, Final

from kubeactors.api.customresources.defaulting import apply_defaults
from kubeactors.api.customresources.embedded import METADATA, coerce
from kubeactors.api.customresources.pruning import prune
from kubeactors.api.customresources.structural import Structural
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.schema.decoder import MAX_PROBLEMS, DecodeProblems, Decoder, decoder_for
from kubeactors.api.schema.mismatch import TypeMismatchError

_INT64: Final = 2**63


class CustomDecoder(Decoder):
    """Defaults, prunes and normalises objects of one version in place."""

    def __init__(self, schema: Structural) -> None:
        self._schema = schema

    def __call__(self, obj: dict[str, Any], problems: DecodeProblems | None = None) -> DecodeProblems:
        """Raises TypeMismatchError for metadata that is no metadata."""
        problems = problems or DecodeProblems()
        repeated: list[str] = []
        _Walk(problems, repeated).value(obj, "")
        unknown: list[str] = []
        metadata = obj.get("metadata")
        if metadata is None:
            obj.pop("metadata", None)
        elif not isinstance(metadata, dict):
            raise TypeMismatchError(
                "json: cannot unmarshal a value into Go struct field .metadata of type v1.ObjectMeta"
            )
        else:
            inner = DecodeProblems()
            decoder_for(METADATA)(metadata, inner)
            start = len('unknown field "')
            unknown += [f"metadata.{text[start:-1]}" for text in inner.problems]
        apply_defaults(obj, self._schema)
        unknown += prune(obj, self._schema, root=True)
        unknown += coerce(obj, self._schema)
        problems.problems += [f"duplicate field {go_quote(path)}" for path in repeated]
        problems.problems += [f"unknown field {go_quote(path)}" for path in unknown]
        del problems.problems[MAX_PROBLEMS:]
        return problems


class _Walk:
    """Counts keys, notes repeated ones, and gives numbers the form in which Kubernetes writes them."""

    def __init__(self, problems: DecodeProblems, repeated: list[str]) -> None:
        self._problems = problems
        self._duplicates = problems.duplicates or {}
        self._repeated = repeated

    def value(self, value: Any, path: str) -> None:
        if type(value) is dict:
            self._problems.keys += len(value)
            for key in self._duplicates.get(id(value), ()):
                self._repeated.append(f"{path}.{key}" if path else key)
            for key, each in value.items():
                if type(each) is dict or type(each) is list:
                    self.value(each, f"{path}.{key}" if path else key)
                elif type(each) is float or type(each) is int:
                    value[key] = number(each)
        elif type(value) is list:
            for index, each in enumerate(value):
                if type(each) is dict or type(each) is list:
                    self.value(each, f"{path}[{index}]")
                elif type(each) is float or type(each) is int:
                    value[index] = number(each)


def number(value: float) -> float | int:
    """A whole number within 64 bits is an integer, a larger one a float: 2.0 is stored as 2."""
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else float(value)
    return int(value) if value.is_integer() and -_INT64 <= value < _INT64 else value


def normalise(obj: dict[str, Any], schema: Structural) -> None:
    """What a stored object goes through when it is read in another version than it was stored in: pruning."""
    prune(obj, schema, root=True)
    coerce(obj, schema)
