"""An apply request (server-side apply): its body, its application, and the check of what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubeactors.api import codec, errors, yaml
from kubeactors.api.errors import StatusError
from kubeactors.api.managedfields import Tracker, described
from kubeactors.api.meta import Object
from kubeactors.api.schema import TypeMismatchError
from kubeactors.api.schema.mismatch import mismatch_text
from kubeactors.apiserver.request import Request


class Configuration:
    """Read once, applied as often as the write is tried."""

    def __init__(self, request: Request) -> None:
        """Raises StatusError (400)."""
        self._options = request.options
        self._applied, self._repeated = read_configuration(request.body)

    def apply(
        self, tracker: Tracker, live: Object | None, now: str, decode: Callable[[Object], object]
    ) -> tuple[Object, list[str]]:
        """(the object that it makes of `live`, normalised by `decode` and with its managedFields; warnings).

        Raises StatusError.
        """
        options = self._options
        new = tracker.apply(live, self._applied, options.field_manager, now, force=bool(options.force))
        try:
            decode(new)
        except TypeMismatchError as error:
            raise self.unconvertible(str(error)) from None
        return new, check_repeated(self._repeated, options.field_validation)

    def unconvertible(self, problem: str) -> StatusError:
        """The answer to a configuration that fits its schema and still cannot be read."""
        message = f"failed to convert new object ({described(self._applied)}) to proper version: {problem}"
        return errors.unknown(message)


def read_configuration(body: bytes) -> tuple[Object, list[str]]:
    """The object in an apply's body, YAML or JSON, and a text for each repeated key. Raises StatusError (400)."""
    try:
        applied, repeated = _parse(body)
    except ValueError as error:
        message = f"error decoding YAML: error converting YAML to JSON: yaml: {error}"
        raise errors.bad_request(message) from None
    if applied is None:
        applied = {}
    if not isinstance(applied, dict):
        wrong = mismatch_text(applied, "map[string]interface {}")
        raise errors.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {wrong}")
    return applied, repeated


def _parse(body: bytes) -> tuple[Any, list[str]]:
    return yaml.load(body)


def check_repeated(repeated: list[str], field_validation: str) -> list[str]:
    """What to warn of. Raises StatusError (400) where repeated keys are not taken."""
    if not repeated or field_validation == codec.IGNORE:
        return []
    if field_validation == codec.STRICT:
        lines = "\n".join(f"  {text}" for text in repeated)
        raise errors.bad_request(
            f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n{lines}"
        )
    return repeated
