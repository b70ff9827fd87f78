"""Which network a node has, by its configuration."""

from kubeactors.client import AsyncClient
from netplugin.cni_plugin import CniPlugin
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkPlugin
from netplugin.plugin import BridgeNetwork


def make_network(client: AsyncClient, config: NetworkConfig) -> NetworkPlugin:
    """Any CNI plugin where a configuration list is given, else the bridge. Raises NetworkError."""
    if config.cni_conflist is not None:
        return CniPlugin(client, config)
    return BridgeNetwork(client, config)
