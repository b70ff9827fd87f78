"""Where a component finds the masters: by the machine's forwarder, or by the machine's file."""

from __future__ import annotations

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import ComponentSettings
from kubeactors.actors.state import ClusterState, StateFile


def api_endpoints(config: ClusterConfig) -> tuple[str, ...]:
    """Where a machine's components reach the API: through the machine's forwarder, whichever master is healthy."""
    return (f"127.0.0.1:{config.local_grpc_port}",)


class Masters:
    """The masters as this machine's file has them, else as its actor was told."""

    def __init__(self, settings: ComponentSettings, paths: Paths) -> None:
        self._settings = settings
        self._file = StateFile(paths.state)

    def state(self) -> ClusterState:
        """Raises ValueError when neither says anything."""
        return self._file.load() or ClusterState.from_json(self._settings.state)

    def addresses(self) -> tuple[str, ...]:
        """In their order."""
        return self.state().masters
