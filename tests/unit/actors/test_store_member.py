"""How a store member comes to its data: it has them, it begins a new store, or it joins the others as a new member."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.paths import Paths
from kubeactors.actors.store_member import DataLostError, StoreMember, last_line
from kubeactors.actors.store_peers import Member, PeersUnavailableError, StorePeers
from kubeactors.pki.cluster import ClusterPki

OWN = "https://10.0.0.3:2380"
OTHERS = [Member(1, "one", ("https://10.0.0.1:2380",), False), Member(2, "two", ("https://10.0.0.2:2380",), False)]


class Peers(StorePeers):
    """The other members, in memory."""

    def __init__(self, members: list[Member]) -> None:
        self.list = members
        self.removed: list[int] = []

    async def members(self) -> list[Member]:
        return self.list

    async def add_learner(self, peer_url: str) -> list[Member]:
        assert not any(peer_url in member.peer_urls for member in self.list), "etcdserver: Peer URLs already exists"
        self.list = [*self.list, Member(9, "", (peer_url,), True)]
        return self.list

    async def remove(self, member: int) -> None:
        self.removed.append(member)
        self.list = [each for each in self.list if each.id != member]


class MemberUnderTest(StoreMember):
    def __init__(self, root: Path, peers: Peers | None) -> None:
        self.paths = Paths(root)
        super().__init__("three", "10.0.0.3", ClusterConfig(), self.paths, ClusterPki(self.paths.pki), lambda: ())
        self.peers = peers

    def _peers(self) -> StorePeers | None:
        return self.peers

    async def flags(self) -> tuple[str, str]:
        """--initial-cluster and --initial-cluster-state."""
        words = await self._initial_cluster()
        assert words[::2] == ["--initial-cluster", "--initial-cluster-state"]
        return words[1], words[3]

    def make_data(self) -> None:
        wal = self.paths.store_data / "member" / "wal"
        wal.mkdir(parents=True)
        (wal / "0000000000000001-0000000000000001.wal").write_bytes(b"")


async def test_a_member_with_data_begins_on_them(tmp_path: Path) -> None:
    peers = Peers([*OTHERS, Member(3, "three", (OWN,), False)])
    member = MemberUnderTest(tmp_path, peers)
    member.make_data()
    assert (await member.flags())[1] == "existing"
    assert peers.removed == []


async def test_only_a_founder_begins_a_new_store(tmp_path: Path) -> None:
    member = MemberUnderTest(tmp_path, None)
    with pytest.raises(DataLostError, match="restore a snapshot"):
        await member.flags()
    member.paths.founding.parent.mkdir(parents=True)
    member.paths.founding.touch()
    assert await member.flags() == (f"three={OWN}", "new")


async def test_a_new_master_joins_as_a_learner(tmp_path: Path) -> None:
    peers = Peers(list(OTHERS))
    initial, state = await MemberUnderTest(tmp_path, peers).flags()
    assert initial == f"one=https://10.0.0.1:2380,two=https://10.0.0.2:2380,three={OWN}"
    assert state == "existing"
    assert peers.removed == []


async def test_a_master_whose_disk_is_gone_joins_as_another_member(tmp_path: Path) -> None:
    peers = Peers([*OTHERS, Member(3, "three", (OWN,), False)])
    await MemberUnderTest(tmp_path, peers).flags()
    assert peers.removed == [3]
    assert [member.id for member in peers.list] == [1, 2, 9]


async def test_data_of_a_removed_member_are_put_aside(tmp_path: Path) -> None:
    member = MemberUnderTest(tmp_path, Peers([*OTHERS, Member(3, "three", (OWN,), False)]))
    member.make_data()
    await member._leave_if_removed()
    assert member.paths.store_data.exists()
    member.peers = Peers(list(OTHERS))
    await member._leave_if_removed()
    assert not member.paths.store_data.exists()
    assert [path.name.partition(".removed-")[0] for path in tmp_path.glob("var/lib/kubeactors/store.removed-*")]


async def test_data_stay_while_nobody_can_say_whether_the_member_was_removed(tmp_path: Path) -> None:
    class Away(Peers):
        async def members(self) -> list[Member]:
            raise PeersUnavailableError("no answer")

    member = MemberUnderTest(tmp_path, Away([]))
    member.make_data()
    await member._leave_if_removed()
    assert member.paths.store_data.exists()


def test_why_a_process_ended_is_what_it_wrote_last(tmp_path: Path) -> None:
    log = tmp_path / "store-member.log"
    assert last_line(log) == "its log cannot be read: No such file or directory"
    log.write_text("")
    assert last_line(log) == "it wrote nothing"
    log.write_text("x" * 10_000 + "\nCRITICAL cannot start: disk full\n\n")
    assert last_line(log) == "CRITICAL cannot start: disk full"
    log.write_text("y" * 10_000)
    assert last_line(log) == "y" * 500
