"""What is told of a command that an OCI runtime cannot run."""

import pytest

from nodeagent.runtime.podman.failure_text import failure_text

NOT_FOUND = 'exec failed: unable to start container process: exec: "nope": executable file not found in $PATH'


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"", ""),
        (
            b'time="2026-01-02T03:04:05Z" level=error msg="exec failed: unable to start container process: '
            b'exec: \\"nope\\": executable file not found in $PATH"\n',
            f"OCI runtime exec failed: {NOT_FOUND}",
        ),
        (b"warning\ncrun: no such file\n", "OCI runtime exec failed: crun: no such file"),
        (
            b"Error: runc: exec failed: x: OCI runtime attempted to invoke a command that was not found\r\n",
            "Error: runc: exec failed: x: OCI runtime attempted to invoke a command that was not found",
        ),
        (b"\xff\xfe", "OCI runtime exec failed: \ufffd\ufffd"),
    ],
)
def test_failure_text(output: bytes, text: str) -> None:
    assert failure_text(output) == text
