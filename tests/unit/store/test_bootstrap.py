"""How a member begins: alone, with others, by joining; and when it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeactors.store import bootstrap
from kubeactors.store.bootstrap import CannotJoin, assign, check_peers, prepare
from kubeactors.store.config import MemberConfig, parse_initial_cluster
from kubeactors.store.machine.membership import Member
from kubeactors.store.process import parse
from kubeactors.store.transport.interface import ClusterRecord
from tests.support.raft_transport import End, running

MEMBERS = (
    Member(11, "m0", ("http://10.0.0.1:2380",), ("http://10.0.0.1:2379",)),
    Member(12, "", ("http://10.0.0.2:2380",)),
)
CLUSTER = ClusterRecord(9, MEMBERS, (13,))
INITIAL = {"m0": ("http://10.0.0.1:2380",), "m1": ("http://10.0.0.2:2380",)}


def config(initial: dict[str, tuple[str, ...]], name: str = "m1", *, new: bool = True) -> MemberConfig:
    return MemberConfig(
        name, Path("/nowhere"), (), listen_peer_urls=initial[name], initial_cluster=initial, new_cluster=new
    )


def test_a_joining_member_finds_its_id_by_its_urls() -> None:
    begin = assign(CLUSTER, INITIAL, "m1")
    assert (begin.cluster_id, begin.member_id, begin.members) == (9, 12, ())


@pytest.mark.parametrize(
    ("initial", "name", "says"),
    [
        ({"m1": ("http://10.0.0.2:2380",)}, "m1", "member count is unequal"),
        ({**INITIAL, "m1": ("http://10.0.0.7:2380",)}, "m1", "no member at http://10.0.0.7:2380"),
        (INITIAL, "m0", "has been started before"),
    ],
)
def test_a_joining_member_that_does_not_fit(initial: dict[str, tuple[str, ...]], name: str, says: str) -> None:
    with pytest.raises(CannotJoin, match=says):
        assign(CLUSTER, initial, name)


async def test_a_new_cluster_is_alike_on_each_member() -> None:
    initial = {"m0": ("http://127.0.0.1:1",), "m1": ("http://127.0.0.1:2",)}
    first, second = await prepare(config(initial, "m0"), False), await prepare(config(initial, "m1"), False)
    assert first is not None and second is not None
    assert (first.cluster_id, first.members) == (second.cluster_id, second.members)
    assert {first.member_id, second.member_id} == {member.id for member in first.members}
    other = await prepare(config(initial, "m0"), True)
    assert other == first, "a first write that was cut off is made again"


async def test_a_member_that_lost_its_data_does_not_begin_anew(tmp_path: Path) -> None:
    end = End(1)
    async with running(end, mesh=False):
        initial = {"m0": (end.url,), "m1": ("http://127.0.0.1:2",)}
        begin = await prepare(config(initial), False)
        assert begin is not None
        end.received.known = ClusterRecord(
            begin.cluster_id, (Member(begin.member_id, "m1", initial["m1"], ("http://127.0.0.1:3",)),)
        )
        with pytest.raises(CannotJoin, match="already been bootstrapped"):
            await prepare(config(initial), False)
        end.received.known = ClusterRecord(begin.cluster_id, (), (begin.member_id,))
        with pytest.raises(CannotJoin, match="permanently removed"):
            await prepare(config(initial), False)
        end.received.known = ClusterRecord(begin.cluster_id, (Member(begin.member_id, "m1", initial["m1"]),))
        assert await prepare(config(initial), False) == begin


async def test_joining_asks_the_others_until_they_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "JOIN_SECONDS", 0.3)
    monkeypatch.setattr(bootstrap, "RETRY_SECONDS", 0.05)
    end = End(1)
    async with running(end, mesh=False):
        initial = {"m0": (end.url,), "m1": ("http://127.0.0.1:2",)}
        end.received.known = ClusterRecord(9, (Member(11, "m0", (end.url,)),))
        with pytest.raises(CannotJoin, match="member count"):
            await prepare(config(initial, new=False), False)
        end.received.known = ClusterRecord(9, (Member(11, "m0", (end.url,)), Member(12, "", initial["m1"])))
        begin = await prepare(config(initial, new=False), False)
        assert begin is not None and (begin.cluster_id, begin.member_id, begin.members) == (9, 12, ())
        assert await prepare(config(initial, new=False), True) is None
    with pytest.raises(CannotJoin, match="no member of the cluster tells"):
        await prepare(config(initial, new=False), False)
    with pytest.raises(CannotJoin, match="no other member to ask"):
        await prepare(config({"m1": ("http://127.0.0.1:2",)}, new=False), False)


async def test_data_of_another_cluster_are_not_served() -> None:
    end = End(1)
    async with running(end, mesh=False):
        initial = {"m0": (end.url,), "m1": ("http://127.0.0.1:2",)}
        end.received.known = ClusterRecord(9, MEMBERS, (13,))
        await check_peers(config(initial), 9, 12, ())
        with pytest.raises(CannotJoin, match="of cluster 8, but the member at"):
            await check_peers(config(initial), 8, 12, ())
        with pytest.raises(CannotJoin, match="permanently removed"):
            await check_peers(config({"m1": initial["m1"]}), 9, 13, [end.url])
    await check_peers(config(initial), 8, 12, ())  # nobody answers


def test_the_initial_cluster_flag() -> None:
    assert parse_initial_cluster("a=http://h:1,b=http://h:2, a=http://h:3") == {
        "a": ("http://h:1", "http://h:3"),
        "b": ("http://h:2",),
    }
    with pytest.raises(ValueError, match="NAME=URL"):
        parse_initial_cluster("http://h:1")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--initial-cluster b=http://h:2", "couldn't find local name"),
        ("--initial-cluster a=http://h:2 --listen-peer-urls http://h:1", "--initial-advertise-peer-urls is http://h:1"),
        ("--initial-cluster a=http://localhost:2380,b=http://h:2", "--listen-peer-urls is needed"),
        ("--initial-cluster x", "NAME=URL"),
        ("--peer-cert-file x", "--peer-trusted-ca-file, --peer-cert-file, --peer-key-file go together"),
        ("--cert-file x", "--trusted-ca-file, --cert-file, --key-file go together"),
        ("--election-timeout 300", "should be at least as 5 times"),
        ("--election-timeout 60000", "too long"),
        ("--initial-cluster-state old", "invalid choice"),
        ("--peer-cert-allowed-cn a --peer-cert-allowed-hostname b", "exclude each other"),
    ],
)
def test_flags_that_contradict_each_other(flags: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(["--name", "a", "--data-dir", "/nowhere", *flags.split()])
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err


def test_flags_of_a_member_of_three() -> None:
    arguments = (
        "--name m1 --data-dir /d --listen-client-urls https://h1:2379 --listen-peer-urls https://0.0.0.0:2380 "
        "--initial-advertise-peer-urls https://h1:2380 --initial-cluster m0=https://h0:2380,m1=https://h1:2380 "
        "--initial-cluster-token t --initial-cluster-state existing --peer-cert-file c --peer-key-file k "
        "--peer-trusted-ca-file a --peer-cert-allowed-cn cn --heartbeat-interval 50 --election-timeout 500"
    )
    found, _, _ = parse(arguments.split())
    assert found.peer_urls == ("https://h1:2380",)
    assert found.listen_peer_urls == ("https://0.0.0.0:2380",)
    assert not found.new_cluster and found.initial_cluster_token == "t"
    assert found.peer_tls is not None and found.peer_tls.key == "k"
    assert found.peer_rules.allowed_cn == "cn" and found.peer_rules.check_address
    assert (found.heartbeat_ms, found.election_ms) == (50, 500)
