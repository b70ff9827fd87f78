"""The cluster's configuration: what is refused, and that a file gives back what was saved."""

from pathlib import Path

import pytest

from kubeactors.actors.config import ClusterConfig, ConfigError


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"cluster_name": "Not Valid"}, "cluster_name"),
        ({"pod_cidr": "10.244.0.0"}, "node_cidr_mask"),
        ({"pod_cidr": "10.244.1.0/16"}, "pod_cidr"),
        ({"pod_cidr": "10.96.0.0/16"}, "overlap"),
        ({"node_cidr_mask": 8}, "node_cidr_mask"),
        ({"node_port_range": "30000"}, "node_port_range"),
        ({"node_port_range": "32767-30000"}, "node_port_range"),
        ({"proxy_mode": "iptables"}, "proxy_mode"),
        ({"https_port": 2379}, "2379"),
        ({"https_port": 0}, "port 0"),
        ({"https_port": "many"}, "https_port"),
        ({"pod_cider": "10.0.0.0/8"}, "pod_cider"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_name(mapping: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        ClusterConfig.from_mapping(mapping)


def test_a_saved_configuration_loads_again(tmp_path: Path) -> None:
    config = ClusterConfig.from_mapping({"cluster_name": "second", "https_port": "7443", "pod_cidr": "10.1.0.0/16"})
    config.save(tmp_path / "config.yaml")
    assert ClusterConfig.load(tmp_path / "config.yaml") == config
    assert config.https_port == 7443


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(ConfigError, match="mapping"):
        ClusterConfig.load(tmp_path / "config.yaml")


def test_the_kubernetes_service_has_the_first_address() -> None:
    assert ClusterConfig().first_service_address == "10.96.0.1"
