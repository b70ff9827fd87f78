"""Why the API server refused a write, where that matters to controllers."""

from __future__ import annotations

from kubeactors.api.errors import StatusError


def is_namespace_terminating(error: StatusError) -> bool:
    """Whether a creation was refused because its namespace is being deleted."""
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
