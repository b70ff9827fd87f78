"""Which Kubernetes this server says that it is (the document at /version)."""

from __future__ import annotations

import platform
from typing import Any

KUBERNETES_MINOR = "37"
GIT_VERSION = f"v1.{KUBERNETES_MINOR}.0+kubeactors"


def version_info() -> dict[str, Any]:
    """apimachinery's version.Info. The Go fields name Python here: clients show them, none reads them."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": "1",
        "minor": KUBERNETES_MINOR,
        "emulationMajor": "1",
        "emulationMinor": KUBERNETES_MINOR,
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": str(int(KUBERNETES_MINOR) - 1),
        "gitVersion": GIT_VERSION,
        "gitCommit": "unknown",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{machine}",
    }
