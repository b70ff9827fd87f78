"""What an OCI runtime says of a command that it cannot run. Pure."""

import re

_LOG_MESSAGE = re.compile(r'\bmsg="((?:[^"\\]|\\.)*)"')


def failure_text(output: bytes) -> str:
    """The last line without the dress of a log line: runc writes `time=… level=… msg="…"`, crun plain text."""
    lines = output.decode(errors="replace").strip().splitlines()
    if not lines:
        return ""
    found = _LOG_MESSAGE.search(lines[-1])
    text = re.sub(r"\\(.)", r"\1", found.group(1)) if found else lines[-1]
    return text if "OCI runtime" in text else f"OCI runtime exec failed: {text}"
