"""Reading the configuration."""

from pathlib import Path

import pytest

from kubeactors.apiserver.__main__ import configuration, parse_arguments
from kubeactors.apiserver.config import ConfigError, TlsFiles, from_mapping

MINIMAL = {
    "advertise_address": "192.0.2.1",
    "store_endpoints": ["https://127.0.0.1:2379"],
    "tls_cert": "a.crt",
    "tls_key": "a.key",
    "client_ca": "ca.crt",
}


def test_values_are_converted() -> None:
    config = from_mapping(
        {
            **MINIMAL,
            "https_port": "7443",
            "node_port_range": "30000-30010",
            "store_tls": {"ca": "s.crt", "cert": "c.crt", "key": "c.key"},
        }
    )
    assert (config.https_port, config.node_port_range, config.tls_cert) == (7443, (30000, 30010), Path("a.crt"))
    assert config.store_tls == TlsFiles(Path("s.crt"), Path("c.crt"), Path("c.key"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"advertise_address": "nowhere"}, "advertise_address"),
        ({"store_endpoints": []}, "store_endpoints"),
        ({"node_port_range": [40000, 30000]}, "node_port_range"),
        ({"kubelet_client_cert": "k.crt"}, "kubelet_client_key"),
        ({"colour": "red"}, "colour: no such field"),
    ],
)
def test_impossible_values_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping({**MINIMAL, **change})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="tls_cert, tls_key: required"):
        from_mapping({key: value for key, value in MINIMAL.items() if not key.startswith("tls")})


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in MINIMAL.items()))
    flags = ["--config", str(path), "--grpc-port", "1", "--store-endpoints", "a,b", "--store-tls", "x,y,z"]
    config = configuration(parse_arguments(flags))
    assert (config.grpc_port, config.store_endpoints) == (1, ["a", "b"])
    assert config.store_tls == TlsFiles(Path("x"), Path("y"), Path("z"))
