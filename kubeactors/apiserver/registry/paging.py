"""Continue tokens: where in which version of a list the next page starts (apimachinery's storage/continue.go)."""

from __future__ import annotations

import base64
import binascii

import orjson

from kubeactors.api import errors
from kubeactors.api.errors import StatusError

# The version of a token that continues a list whose version is gone: go on from the present state.
INCONSISTENT = -1


def encode_continue(last: str, version: int) -> str:
    """A token to go on behind the key `last` (below the list's prefix) in this version."""
    document = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": last + "\0"})
    return base64.urlsafe_b64encode(document).rstrip(b"=").decode()


def decode_continue(token: str) -> tuple[str, int]:
    """(first key below the prefix, version). Raises StatusError (400)."""
    try:
        document = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _invalid("continue key is not valid: it is no token of this server") from error
    if not isinstance(document, dict) or document.get("v") != "meta.k8s.io/v1":
        raise _invalid("continue key is not valid: server does not recognize this encoded version")
    version, start = document.get("rv"), document.get("start")
    if not isinstance(version, int) or isinstance(version, bool) or version == 0:
        raise _invalid("continue key is not valid: incorrect encoded start resourceVersion")
    if not isinstance(start, str) or not start:
        raise _invalid("continue key is not valid: encoded start key empty")
    if any(part == ".." for part in start.split("/")) or start.startswith("/"):
        raise _invalid(f"continue key is not valid: {start}")
    return start, version


def _invalid(message: str) -> StatusError:
    return errors.bad_request(f"invalid continue token: {message}")


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
