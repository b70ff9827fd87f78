"""How a run of a container ended: exit code, reason and message as the status tells them."""

from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.logs.k8s_file import last_lines
from nodeagent.paths import PodPaths
from nodeagent.runtime.interface import Exit

_MESSAGE_LIMIT = 4096  # bytes, kubelet's MaxContainerTerminationMessageLength
_LOG_LIMIT = 2048  # bytes
_LOG_LINES = 80

Outcome = tuple[int, str, str]  # exit code, reason, message
NEVER_FOUND: Outcome = (
    137,
    "ContainerStatusUnknown",
    "The container could not be located when the pod was terminated",
)


def exit_outcome(paths: PodPaths, container: Object, attempt: int, exited: Exit) -> Outcome:
    """Code, reason, message. Reads the termination message. Blocks."""
    message = _read(paths.termination_log(container["name"], attempt))
    if exited.exit_code is None:
        unknown, reason, text = NEVER_FOUND
        return unknown, reason, message or text
    code = exited.exit_code
    if not message and code != 0 and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        message = last_lines(paths.log(container["name"], attempt), _LOG_LINES, _LOG_LIMIT).decode(errors="replace")
    if exited.oom_killed and code != 0:
        return code, "OOMKilled", message
    return code, "Completed" if code == 0 else "Error", message


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MESSAGE_LIMIT).decode(errors="replace")
    except FileNotFoundError:
        return ""
