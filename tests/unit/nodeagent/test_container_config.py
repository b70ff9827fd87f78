"""Container configurations, resources, managed files."""

from pathlib import Path

import pytest

from kubeactors.api.meta import Object
from nodeagent.pods.container_config import Surroundings, container_config, verify_non_root
from nodeagent.pods.environment import ConfigError
from nodeagent.pods.files import (
    NameTooLong,
    hostname_of,
    hosts_text,
    kernel_hostname,
    parse_resolv_conf,
    resolv_conf_text,
)
from nodeagent.pods.resources import container_resources, pod_resources, qos_class
from nodeagent.runtime.interface import BindMount, ContainerConfig, Image, Resources, Security
from nodeagent.runtime.podman.spec import create_body
from tests.unit.nodeagent.pods import c, pod, sidecar

PLACES = Surroundings("/ns", "web", "/ipc", "/shm", "/hosts", "/resolv", "/hostname", "/cg/pod1", "/log", "/term")
IMAGE = Image("sha256:1", (), 10)
GI = 2**30


def config(container: Object, image: Image = IMAGE, **spec) -> ContainerConfig:
    obj = pod(container)
    obj["spec"].update(spec)
    return container_config(
        obj,
        container,
        attempt=2,
        sandbox_attempt=0,
        image=image,
        env={"A": "1"},
        volumes={"data": Path("/vol/data")},
        subpaths={1: Path("/sub/1")},
        surroundings=PLACES,
        node_memory=4 * GI,
    )


def test_identity_and_commands() -> None:
    made = config(c("c", command=["run", "$(A)"], args=["$$(A)"], workingDir="/w"))
    assert made.name == "k8s_c_web_default_u-1_2"
    assert made.labels["io.kubernetes.container.restartCount"] == "2"
    assert (made.command, made.args, made.working_dir) == (("run", "1"), ("$(A)",), "/w")
    assert made.env == {"HOSTNAME": "web", "A": "1"}
    assert made.netns_path == "/ns" and made.cgroup_parent == "/cg/pod1"


def test_mounts() -> None:
    mounts = [
        {"name": "data", "mountPath": "/d", "readOnly": True},
        {"name": "data", "mountPath": "/s", "subPath": "x"},
    ]
    made = config(c("c", volumeMounts=mounts))
    assert made.mounts[:2] == (BindMount("/vol/data", "/d", read_only=True), BindMount("/sub/1", "/s"))
    assert {(m.source, m.destination) for m in made.mounts[2:]} == {
        ("/hosts", "/etc/hosts"),
        ("/resolv", "/etc/resolv.conf"),
        ("/hostname", "/etc/hostname"),
        ("/shm", "/dev/shm"),
        ("/term", "/dev/termination-log"),
    }
    with pytest.raises(ConfigError, match="names no volume"):
        config(c("c", volumeMounts=[{"name": "none", "mountPath": "/x"}]))


def test_a_container_may_mount_over_managed_files() -> None:
    made = config(c("c", securityContext={"readOnlyRootFilesystem": True}))
    assert [m.destination for m in made.mounts if m.read_only] == ["/etc/resolv.conf", "/etc/hostname"]
    made = config(c("c", volumeMounts=[{"name": "data", "mountPath": "/etc/hosts"}]))
    assert [m.source for m in made.mounts if m.destination == "/etc/hosts"] == ["/vol/data"]


def test_the_host_network() -> None:
    made = config(c("c"), hostNetwork=True)
    assert made.hostname == "" and "HOSTNAME" not in made.env
    assert "/etc/hostname" not in {m.destination for m in made.mounts}


@pytest.mark.parametrize(
    ("own", "of_pod", "user"),
    [
        ({"runAsUser": 5}, {}, "5"),
        ({}, {"runAsUser": 6}, "6"),
        ({"runAsUser": 5, "runAsGroup": 7}, {"runAsUser": 6}, "5:7"),
        ({"runAsGroup": 7}, {}, "app:7"),
        ({}, {}, ""),
    ],
)
def test_users(own: Object, of_pod: Object, user: str) -> None:
    image = Image("sha256:1", (), 1, user="app:3")
    assert config(c("c", securityContext=own), image, securityContext=of_pod).security.user == user


def test_security() -> None:
    own = {
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
    }
    made = config(c("c", securityContext=own), securityContext={"fsGroup": 9, "supplementalGroups": [8]}).security
    assert made == Security(
        groups=(8, 9),
        add_capabilities=("NET_ADMIN",),
        drop_capabilities=("ALL",),
        read_only_root=True,
        no_new_privileges=True,
        seccomp_unconfined=True,
    )
    assert not config(
        c("c", securityContext={"seccompProfile": {"type": "RuntimeDefault"}})
    ).security.seccomp_unconfined


@pytest.mark.parametrize(
    ("context", "user", "message"),
    [
        ({"runAsUser": 0}, "", "container's runAsUser breaks non-root policy"),
        ({}, "", "container has runAsNonRoot and image will run as root"),
        ({}, "0:5", "container has runAsNonRoot and image will run as root"),
        ({}, "app", "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root"),
        ({}, "7", None),
        ({"runAsUser": 7}, "root", None),
    ],
)
def test_run_as_non_root(context: Object, user: str, message: str | None) -> None:
    container = c("c", securityContext={"runAsNonRoot": True, **context})
    image = Image("sha256:1", (), 1, user=user)
    if message is None:
        verify_non_root(pod(container), container, image)
    else:
        with pytest.raises(ConfigError) as caught:
            verify_non_root(pod(container), container, image)
        assert str(caught.value) == f'{message} (pod: "web_default(u-1)", container: c)'


def test_what_is_not_supported_is_refused() -> None:
    with pytest.raises(ConfigError, match="shareProcessNamespace is not supported"):
        config(c("c"), shareProcessNamespace=True)


# -- resources ---------------------------------------------------------------------------------------------------------


def limits(cpu: str = "", memory: str = "", requests: dict[str, str] | None = None) -> Object:
    given = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    return {"resources": {"limits": given, "requests": requests or {}}}


def test_limits_of_a_container() -> None:
    container = c("c", **limits("500m", "64Mi", {"cpu": "250m"}))
    made = container_resources(pod(container), container, 4 * GI)
    assert (made.cpu_shares, made.cpu_quota, made.memory_limit) == (256, 50_000, 64 * 2**20)
    bare = container_resources(pod(c("b")), c("b"), 4 * GI)
    assert (bare.cpu_shares, bare.cpu_quota, bare.memory_limit, bare.oom_score_adj) == (2, None, None, 1000)


@pytest.mark.parametrize(
    ("containers", "quality"),
    [
        ([c("a")], "BestEffort"),
        ([c("a", **limits("1", "1Gi"))], "Guaranteed"),
        ([c("a", **limits("1", "1Gi")), c("b")], "Burstable"),
        ([c("a", **limits("1"))], "Burstable"),
        ([c("a", **limits("1", "1Gi", {"cpu": "500m"}))], "Burstable"),
    ],
)
def test_quality_of_service(containers: list[Object], quality: str) -> None:
    assert qos_class(pod(*containers)) == quality


def test_out_of_memory_scores() -> None:
    guaranteed = c("a", **limits("1", "1Gi"))
    assert container_resources(pod(guaranteed), guaranteed, 4 * GI).oom_score_adj == -997
    burstable = c("a", **limits("", "2Gi", {"memory": "1Gi"}))
    assert container_resources(pod(burstable), burstable, 4 * GI).oom_score_adj == 750


def test_the_pods_own_limits() -> None:
    made = pod_resources(pod(c("a", **limits("1", "1Gi")), c("b", **limits("500m", "512Mi"))))
    assert (made.cpu_quota, made.memory_limit, made.cpu_shares) == (150_000, 3 * GI // 2, 1536)
    assert pod_resources(pod(c("a", **limits("1", "1Gi")), c("b"))).memory_limit is None
    with_init = pod(
        c("a", **limits("1", "1Gi")), init=[c("i", **limits("3", "1Gi")), sidecar("s", **limits("1", "1Gi"))]
    )
    made = pod_resources(with_init)
    assert (made.cpu_quota, made.memory_limit) == (300_000, 2 * GI)


# -- Podman's body -------------------------------------------------------------------------------------------------


def test_podmans_body() -> None:
    made = ContainerConfig(
        "n",
        "img",
        {"l": "1"},
        "/log",
        command=("a",),
        netns_path="/ns",
        ipc_path="/ipc",
        hostname="web",
        mounts=(BindMount("/s", "/d", read_only=True),),
        resources=Resources(cpu_shares=2, cpu_quota=5000, memory_limit=7, oom_score_adj=-997),
    )
    body = create_body(made, min_oom_score_adj=0)
    assert body["entrypoint"] == ["a"] and "command" not in body
    assert body["netns"] == {"nsmode": "path", "value": "/ns"}
    assert body["ipcns"] == {"nsmode": "path", "value": "/ipc"}
    assert body["mounts"] == [
        {"type": "bind", "source": "/s", "destination": "/d", "options": ["rbind", "ro", "rprivate"]}
    ]
    assert body["resource_limits"] == {
        "cpu": {"shares": 2, "quota": 5000, "period": 100_000},
        "memory": {"limit": 7, "swap": 7},
    }
    assert body["oom_score_adj"] == 0
    assert body["unsetenv"] == ["container", "TERM"]


def test_the_pods_own_group_by_what_is_said_of_the_whole_pod() -> None:
    amounts = {"cpu": "1", "memory": "1Gi"}
    obj = pod(c("a"), c("b"), resources={"limits": amounts, "requests": {"cpu": "500m"}})
    obj["spec"]["overhead"] = {"cpu": "250m", "memory": "1Gi"}
    made = pod_resources(obj)
    assert (made.cpu_shares, made.cpu_quota, made.memory_limit) == (768, 125_000, 2 * GI)


# -- files -----------------------------------------------------------------------------------------------------------


def test_hosts() -> None:
    obj = pod(hostAliases=[{"ip": "192.0.2.9", "hostnames": ["a", "b"]}], subdomain="sub", hostname="h")
    text = hosts_text(obj, ("10.0.0.5",), "cluster.local")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.0.0.5\th.sub.default.svc.cluster.local\th\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n192.0.2.9\ta\tb\n")
    on_host = hosts_text(pod(hostNetwork=True), (), "cluster.local", "1.1.1.1 x\n")
    assert on_host == "# Kubernetes-managed hosts file (host network).\n1.1.1.1 x\n"


def test_hostnames_are_cut() -> None:
    obj = pod()
    obj["metadata"]["name"] = "a" * 62 + "-bcd"
    assert hostname_of(obj) == "a" * 62


def test_a_full_name_as_hostname() -> None:
    obj = pod(hostname="h", subdomain="sub")
    assert kernel_hostname(obj, "cluster.local") == "h"
    obj["spec"]["setHostnameAsFQDN"] = True
    assert kernel_hostname(obj, "cluster.local") == "h.sub.default.svc.cluster.local"
    obj["spec"]["hostname"] = "h" * 40
    with pytest.raises(NameTooLong, match=r"is too long \(64 characters is the max, 70 characters requested\)"):
        kernel_hostname(obj, "cluster.local")
    obj["spec"]["hostnameOverride"] = "mine"
    assert kernel_hostname(obj, "cluster.local") == "mine"


NODE = parse_resolv_conf("# x\nsearch example.org\nnameserver 192.0.2.53\noptions ndots:2 timeout:1\n")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {},
            "search default.svc.cluster.local svc.cluster.local cluster.local example.org\n"
            "nameserver 10.96.0.10\noptions ndots:5\n",
        ),
        ({"dnsPolicy": "Default"}, "search example.org\nnameserver 192.0.2.53\noptions ndots:2 timeout:1\n"),
        ({"hostNetwork": True}, "search example.org\nnameserver 192.0.2.53\noptions ndots:2 timeout:1\n"),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["1.1.1.1"], "options": [{"name": "ndots", "value": "1"}]},
            },
            "nameserver 1.1.1.1\noptions ndots:1\n",
        ),
    ],
)
def test_resolv_conf(spec: Object, text: str) -> None:
    assert resolv_conf_text(pod(**spec), ("10.96.0.10",), "cluster.local", NODE) == text


def test_without_a_cluster_dns_the_nodes_resolver_is_used() -> None:
    assert resolv_conf_text(pod(), (), "cluster.local", NODE).startswith("search example.org\n")
