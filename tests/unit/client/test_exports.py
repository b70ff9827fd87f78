"""The public names of the SDK: adding one is a decision, and none goes away by accident."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kubeactors
import kubeactors.client


def test_names_of_the_package() -> None:
    assert kubeactors.__all__ == [
        "AlreadyExists",
        "ApiUnavailable",
        "AsyncClient",
        "AsyncContext",
        "Client",
        "Conflict",
        "Context",
        "Controller",
        "CopyFailed",
        "Expired",
        "Forbidden",
        "Invalid",
        "KubeconfigError",
        "ManifestError",
        "NotFound",
        "Object",
        "ObjectList",
        "Operator",
        "OutcomeUnknown",
        "PermanentError",
        "Resource",
        "StatusError",
        "TlsConfig",
        "Unauthorized",
        "UnknownKindError",
        "WaitFailed",
        "WaitTimeout",
        "WatchEvent",
        "controller",
        "load_manifests",
        "parse_manifests",
    ]
    for name in kubeactors.__all__:
        assert getattr(kubeactors, name) is not None
        assert name in dir(kubeactors)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(kubeactors, "Nothing")  # noqa: B009 - a name that type checkers know to be missing


def test_names_of_the_client_package() -> None:
    assert kubeactors.client.__all__ == [
        "ApiUnavailable",
        "AsyncClient",
        "Client",
        "CommandSession",
        "Completed",
        "EventRecorder",
        "Informer",
        "InformerFactory",
        "KubeconfigError",
        "LeaderElector",
        "Lister",
        "Object",
        "ObjectList",
        "OutcomeUnknown",
        "Output",
        "PortForward",
        "QueueShutDown",
        "Resource",
        "TlsConfig",
        "WaitTimeout",
        "WatchEvent",
        "WorkQueue",
        "run_workers",
    ]
    for name in kubeactors.client.__all__:
        assert getattr(kubeactors.client, name) is not None


def test_importing_the_package_loads_no_client() -> None:
    script = "import sys, kubeactors; sys.exit('grpc' in sys.modules or 'aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
