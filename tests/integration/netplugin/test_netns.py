"""Network namespaces as files, on a machine where nobody has made one before."""

import subprocess
import sys

ON_A_FRESH_MACHINE = """
import subprocess, sys
from pathlib import Path
from netplugin import netns

subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
directory = Path("/run/netns")
directory.mkdir()
netns.create(directory / "ours", lambda: None)
subprocess.run(["ip", "netns", "add", "theirs"], check=True)
netns.create(directory / "ours-too", lambda: None)
for name in ("ours", "ours-too"):
    assert netns.exists(directory / name)
    netns.remove(directory / name)
print(sorted(path.name for path in directory.iterdir()))
"""


def test_one_that_was_made_before_the_first_ip_netns_add_can_be_removed_after_it() -> None:
    done = subprocess.run(
        ["unshare", "--mount", "--net", sys.executable, "-c", ON_A_FRESH_MACHINE],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == ("['theirs']\n", "")
