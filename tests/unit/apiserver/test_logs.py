import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.node.connections import agent_address
from kubeactors.apiserver.node.logs import check_log_options, choose_container
from kubeactors.apiserver.request import LogOptions
from tests.support.api_core import running_core
from tests.support.fake_store import FakeStore

POD = {
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]},
}


def test_the_only_container_is_meant() -> None:
    assert choose_container({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}, "") == "a"
    assert choose_container(POD, "i") == "i"


def test_of_several_containers_one_must_be_named() -> None:
    with pytest.raises(StatusError) as raised:
        choose_container(POD, "")
    assert raised.value.code == 400
    assert raised.value.message == (
        "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]"
    )
    with pytest.raises(StatusError, match=r"^container zz is not valid for pod p"):
        choose_container(POD, "zz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (LogOptions(tail_lines=-1), "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        (LogOptions(limit_bytes=0), "limitBytes: Invalid value: 0: must be greater than 0"),
        (LogOptions(since_seconds=0), "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (LogOptions(since_seconds=5, since_time="2026-01-01T00:00:00Z"), "at most one of"),
    ],
)
def test_options_that_are_refused(options: LogOptions, message: str) -> None:
    with pytest.raises(StatusError) as raised:
        check_log_options("p", options)
    assert raised.value.message.startswith('PodLogOptions "p" is invalid: ')
    assert message in raised.value.message


def test_agent_address() -> None:
    addresses = [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": "10.0.0.7"}]
    assert agent_address({"status": {"addresses": addresses}}) == "10.0.0.7:10250"
    endpoints = {"kubeletEndpoint": {"Port": 1234}}
    assert agent_address({"status": {"addresses": addresses, "daemonEndpoints": endpoints}}) == "10.0.0.7:1234"
    assert agent_address({"status": {"addresses": [{"type": "InternalIP", "address": "fd00::1"}]}}) == "[fd00::1]:10250"
    assert agent_address({}) is None


async def test_pods_without_a_log() -> None:
    async with running_core(FakeStore()) as api:
        await api.pod("p")
        response = await api.request("get", "pods", namespace="ns", name="p", subresource="log")
        assert (response.status, response.body) == (204, b"")
        with pytest.raises(StatusError, match='pods "zz" not found'):
            await api.request("get", "pods", namespace="ns", name="zz", subresource="log")
        await api.pod("q", nodeName="missing")
        with pytest.raises(StatusError, match='nodes "missing" not found'):
            await api.request("get", "pods", namespace="ns", name="q", subresource="log")
        with pytest.raises(StatusError) as raised:
            await api.request("create", "pods", namespace="ns", name="p", subresource="exec")
        assert raised.value.code in (404, 501)
