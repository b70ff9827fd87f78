"""The Status at the end of a command, as the error channel carries it (remotecommand protocols v1 to v5). Pure."""

from __future__ import annotations

from typing import Any

import orjson

from kubeactors.api import errors

Status = dict[str, Any]

SUCCESS: Status = {"metadata": {}, "status": "Success"}


def of_result(exit_code: int, error: str, verb: str, command: tuple[str, ...], *, translated: bool) -> Status:
    """The Status of a command that ended.

    `error`: of the runtime, which could not run it. `verb` is "executing command" or "attaching to container".
    `translated`: in the words of protocol v5, which pass one more hand in Kubernetes.
    """
    if error:
        where = f"error {verb} in container: {error}" if verb == "executing command" else f"error {verb}: {error}"
        return internal(where)
    if not exit_code:
        return SUCCESS
    why = f"error executing command [{' '.join(command)}], exit code {exit_code}"
    if translated:
        why = f"command terminated with exit code {exit_code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {why}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }


def internal(text: str) -> Status:
    """An InternalError without the type, which the error channel never carries."""
    status = dict(errors.internal(text).status)
    status.pop("kind")
    status.pop("apiVersion")
    return status


def encode(status: Status, *, as_json: bool) -> bytes:
    """What is written to the error stream: JSON from v4 on; before that the message, and nothing for success."""
    if as_json:
        return orjson.dumps(status)
    return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()
