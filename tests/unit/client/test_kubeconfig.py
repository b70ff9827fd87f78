"""Kubeconfig files and in-cluster configuration."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeactors.client import AsyncClient, KubeconfigError
from kubeactors.client.kubeconfig import (
    ClientConfig,
    in_cluster_config,
    kubeconfig_paths,
    load_kubeconfig,
    parse_kubeconfig,
)
from kubeactors.client.proxies import proxy_for
from kubeactors.client.transports import open_transport

V1 = "client.authentication.k8s.io/v1"


def document(**user: Any) -> dict[str, Any]:
    return {
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "bare", "context": {"cluster": "plain"}},
            {"name": "lost", "context": {"cluster": "nowhere"}},
        ],
        "clusters": [
            {
                "name": "c",
                "cluster": {
                    "server": "https://h:6443/",
                    "certificate-authority-data": base64.b64encode(b"CA").decode(),
                    "tls-server-name": "kubernetes",
                },
            },
            {"name": "plain", "cluster": {"server": "http://h:8080"}},
        ],
        "users": [{"name": "u", "user": user}],
    }


def test_certificates_as_data_and_as_files() -> None:
    config = parse_kubeconfig(document(**{"client-certificate": "u.crt", "client-key": "/k/u.key"}), Path("/base"))
    assert config.endpoints == ("https://h:6443",)
    assert config.namespace == "shop"
    assert config.tls is not None
    assert (config.tls.ca_data, config.tls.server_name) == (b"CA", "kubernetes")
    assert (config.tls.cert_file, config.tls.key_file) == (Path("/base/u.crt"), Path("/k/u.key"))


def test_tokens_and_contexts() -> None:
    config = parse_kubeconfig(document(token="t", tokenFile="f"), Path("/base"))
    assert (config.token, config.token_file) == ("t", Path("/base/f"))
    bare = parse_kubeconfig(document(), Path("/base"), "bare")
    assert (bare.endpoints, bare.tls, bare.namespace) == (("http://h:8080",), None, "default")


def test_other_users() -> None:
    assert parse_kubeconfig(document(username="u", password="p"), Path("/base")).basic == ("u", "p")
    entry = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./bin/login",
        "args": ["--for", "x"],
        "env": [{"name": "A", "value": "b"}],
        "provideClusterInfo": True,
    }
    plugin = parse_kubeconfig(document(exec=entry), Path("/base")).exec_plugin
    assert plugin is not None
    assert (plugin.command, plugin.arguments, plugin.environment) == ("/base/bin/login", ("--for", "x"), (("A", "b"),))
    assert plugin.cluster is not None and plugin.cluster["server"] == "https://h:6443/"
    named = parse_kubeconfig(document(exec={**entry, "command": "login"}), Path("/base")).exec_plugin
    assert named is not None and named.command == "login"


@pytest.mark.parametrize(
    ("context", "user", "message"),
    [
        ("nope", {}, "no context named 'nope'"),
        ("lost", {}, "no cluster named 'nowhere'"),
        ("main", {"auth-provider": {"name": "x"}}, "'auth-provider' credentials are not supported"),
        ("main", {"exec": {"args": ["x"]}}, "exec names no command"),
        ("main", {"exec": {"command": "c", "apiVersion": "v9"}}, "exec plugin c: apiVersion 'v9' is not one of"),
        ("main", {"exec": {"command": "c", "interactiveMode": "Always"}}, "needs a terminal is not supported"),
        ("main", {"client-key-data": "!!"}, "client-key-data is not base64"),
    ],
)
def test_what_is_wrong_is_said(context: str, user: dict[str, Any], message: str) -> None:
    with pytest.raises(KubeconfigError, match=message):
        parse_kubeconfig(document(**user), Path("/"), context)


def test_files_are_found_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{tmp_path}/some")
    (tmp_path / "some").write_text(yaml.safe_dump(document(token="t")))
    assert kubeconfig_paths() == [tmp_path / "some"]
    assert load_kubeconfig().token == "t"
    monkeypatch.delenv("KUBECONFIG")
    assert kubeconfig_paths() == [tmp_path / ".kube" / "config"]
    with pytest.raises(KubeconfigError, match="cannot read the kubeconfig"):
        load_kubeconfig()
    (tmp_path / "bad").write_text("{")
    with pytest.raises(KubeconfigError, match="is not YAML"):
        load_kubeconfig(tmp_path / "bad")
    (tmp_path / "empty").write_text("")
    with pytest.raises(KubeconfigError, match="is empty"):
        load_kubeconfig(tmp_path / "empty")


def test_in_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="not in a cluster"):
        in_cluster_config(tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(KubeconfigError, match="no service account is mounted"):
        in_cluster_config(tmp_path)
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("shop\n")
    config = in_cluster_config(tmp_path)
    assert config.endpoints == ("https://[fd00::1]:443",)
    assert (config.namespace, config.token_file) == ("shop", tmp_path / "token")


def test_the_scheme_chooses_the_transport() -> None:
    assert type(AsyncClient(["h:6444"])._transport).__name__ == "GrpcTransport"
    assert type(AsyncClient(["grpc://h:6444"])._transport).__name__ == "GrpcTransport"
    assert type(AsyncClient(["https://h:6443"])._transport).__name__ == "HttpsTransport"
    with pytest.raises(ValueError, match="all be gRPC or all be HTTP"):
        AsyncClient(["h:6444", "https://h:6443"])
    with pytest.raises(ValueError, match="only over HTTPS"):
        AsyncClient(config=ClientConfig(("h:6444",), basic=("u", "p")))
    with pytest.raises(ValueError, match="at least one endpoint"):
        AsyncClient([])


def test_several_files_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, user in (("one", {"tokenFile": "secret/one"}), ("two", {"tokenFile": "secret/two"})):
        (tmp_path / name).mkdir()
        content = document(**user)
        content["contexts"].append({"name": f"of-{name}", "context": content["contexts"][0]["context"]})
        (tmp_path / name / "config").write_text(yaml.safe_dump(content))
    second = yaml.safe_load((tmp_path / "two/config").read_text())
    second["users"].append(
        {"name": "other", "user": {"tokenFile": "secret/other", "exec": {"command": "bin/x", "apiVersion": V1}}}
    )
    cluster = second["contexts"][0]["context"]["cluster"]
    second["contexts"].append({"name": "other", "context": {"cluster": cluster, "user": "other"}})
    (tmp_path / "two/config").write_text(yaml.safe_dump(second))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{tmp_path}/one/config:{tmp_path}/two/config")
    assert load_kubeconfig().token_file == tmp_path / "one/secret/one", "the first that names the user counts"
    assert load_kubeconfig(context="of-two").token_file == tmp_path / "one/secret/one"
    other = load_kubeconfig(context="other")
    assert other.token_file == tmp_path / "two/secret/other"
    assert other.exec_plugin is not None
    assert other.exec_plugin.command == str(tmp_path / "two/bin/x")


def test_proxies_and_whom_to_act_as() -> None:
    given = document(**{"as": "jane", "as-groups": ["a", "b"], "as-user-extra": {"Scope/X": ["y"]}})
    given["clusters"][0]["cluster"]["proxy-url"] = "http://proxy:3128"
    config = parse_kubeconfig(given, Path("/"))
    assert config.proxy == "http://proxy:3128"
    assert config.impersonate == (
        ("impersonate-user", "jane"),
        ("impersonate-group", "a"),
        ("impersonate-group", "b"),
        ("impersonate-extra-scope%2Fx", "y"),
    )
    given["clusters"][0]["cluster"]["proxy-url"] = "socks5://proxy"
    with pytest.raises(KubeconfigError, match="proxy-url 'socks5://proxy' is not one of http"):
        parse_kubeconfig(given, Path("/"))
    with pytest.raises(ValueError, match="proxy-url"):
        open_transport(ClientConfig(("h:6444",), proxy="http://proxy:3128"), "")


def test_which_proxy_a_connection_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("https://far:6443", None) is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", ".near,10.0.0.7")
    assert proxy_for("https://far:6443", None) == "http://proxy:3128"
    assert proxy_for("http://far:8080", None) is None
    for near in ("https://a.near:6443", "https://10.0.0.7:6443", "https://127.0.0.1:6443", "https://localhost:6443"):
        assert proxy_for(near, None) is None
        assert proxy_for(near, "http://own:1") == "http://own:1"
