"""Continue tokens: where in which version of a list the next page starts (apimachinery's storage/continue.go)."""

from __future__ import annotations

import base64
import re

import orjson

from kubeactors.api import errors
from kubeactors.api.errors import StatusError

# The version of a token that continues a list whose version is gone: go on from the present state.
INCONSISTENT = -1
_BASE64 = re.compile(r"[A-Za-z0-9_-]*")


def encode_continue(last: str, version: int) -> str:
    """A token to go on behind the key `last` (below the list's prefix) in this version."""
    document = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": last + "\0"})
    return base64.urlsafe_b64encode(document).rstrip(b"=").decode()


def decode_continue(token: str) -> tuple[str, int]:
    """(first key below the prefix, version; any below 0 is the present). Raises StatusError (400)."""
    if not _BASE64.fullmatch(token):
        raise _invalid(": it is not in base64")
    try:
        document = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise _invalid(f": {error}") from error
    if not isinstance(document, dict):
        raise _invalid(": it is not an object")
    format_, version, start = document.get("v") or "", document.get("rv") or 0, document.get("start") or ""
    if not isinstance(format_, str) or not isinstance(start, str):
        raise _invalid(": a field is not a string")
    if not isinstance(version, int) or isinstance(version, bool) or not -(2**63) <= version < 2**63:
        raise _invalid(": the version is not an integer of 64 bits")
    if format_ != "meta.k8s.io/v1":
        raise _invalid(f": server does not recognize this encoded version {format_}")
    if version == 0:
        raise _invalid(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not start:
        raise _invalid(": encoded start key empty (version meta.k8s.io/v1)")
    # Nothing above the list's own prefix may be reached: the path must be clean as Go's path.Clean has it.
    below = start.removeprefix("/")
    if any(part in ("", ".", "..") for part in below.split("/")):
        raise _invalid(f": {start}")
    return below, version


def _invalid(reason: str) -> StatusError:
    return errors.bad_request(f"invalid continue token: continue key is not valid{reason}")


def expired_continue(start: str) -> StatusError:
    """The answer to a token whose version is gone; it carries a token that goes on regardless."""
    error = errors.expired(
        "The provided continue parameter is too old to display a consistent list result. "
        "You can start a new list without the continue parameter, or use the continue token in this response to "
        "retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - "
        "objects that were created, modified, or deleted between the time the first chunk was returned and now may "
        "show up in the list."
    )
    error.status["metadata"] = {"continue": encode_continue(start.removesuffix("\0"), INCONSISTENT)}
    return error
