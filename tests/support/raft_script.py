"""A little language for Raft scenarios: what is done to members, and what they say and write because of it.

    > member 1 voters=1,2,3 log=1,1,2 commit=2 vote=3       a member as its disk would have it after a restart
    > 1 hears APPEND from 2 term=3 index=3 log_term=2 entries=3,3 commit=4
    1 writes term=3 vote=0 commit=2 entries=3:4-5           what happened, to be compared
    1→2 APPEND_RESPONSE term=3 index=5 (synced)

A line that begins with `>` is a command; the lines below it, up to the next one, are what must come of it. `#` begins
a comment. Entries are TERM:INDEX or TERM:FIRST-LAST. `(synced)` marks a message that leaves only after the sync. A
message to a member that the script has stays in the network until `deliver`, `settle` or `tick` lets it arrive.

Commands

    member N [voters=..] [learners=..] [log=TERMS] [base=INDEX:TERM] [term=] [vote=] [commit=] [inflight=]
        [append_bytes=]
    N hears TYPE from M [field=value ..]      entries=TERMS follow `index`; snapshot=INDEX:TERM with voters=, learners=
    N campaign | propose TEXT .. | change CHANGE | read CONTEXT | transfer M | compact INDEX | unreachable M
    N tick COUNT
    N times out                               ticks until it campaigns
    hold N .. | release N ..                  its disk hangs: what it writes is not synced; it goes on
    sync N                                    one write of a disk that hangs comes to its end
    deliver [FROM→TO]                         what is in the network, once; `settle`: until nothing is left
    drop [FROM→TO]                            what is in the network gets lost
    cut FROM→TO .. | heal | crash N | restart N
    state                                     of every member
    quiet COMMAND                             the same, without the output

Every command is followed by all work, and the syncs, of the member that it was about.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.core import Role
from kubeactors.store.raft.errors import InconsistentLog, NoLeader, ProposalRefused
from kubeactors.store.raft.message import TRANSFER, Message, MessageType, SnapshotMeta
from kubeactors.store.wal.record import Entry, EntryKind, HardState
from tests.support.raft_members import Cluster, Member

Options = dict[str, str]


class Script:
    def __init__(self) -> None:
        self.cluster = Cluster(seed=1)
        self.out: list[str] = []
        self.held: set[int] = set()

    def run(self, line: str) -> list[str]:
        """The output of one command."""
        self.out = []
        quiet = line.startswith("quiet ")
        words = line.removeprefix("quiet ").split()
        try:
            if words[0].isdigit():
                self._member_command(int(words[0]), words[1], words[2:])
            else:
                getattr(self, f"_do_{words[0]}")(words[1:])
        except (ProposalRefused, NoLeader, InconsistentLog, ValueError) as error:
            self.out.append(f"{type(error).__name__}: {error}")
        return [] if quiet else self.out

    # ---- commands about one member ----

    def _member_command(self, key: int, verb: str, words: list[str]) -> None:
        member, core = self.cluster.members[key], self.cluster[key]
        if verb == "hears":
            self._hears(member, words)
        elif verb == "tick":
            for _ in range(int(words[0])):
                core.tick()
                self._finish(member)
        elif verb == "times":
            while core.role is not Role.PRE_CANDIDATE and core.role is not Role.CANDIDATE:
                core.tick()
        elif verb == "propose":
            for text in words:
                core.propose(text.encode())
        elif verb == "change":
            core.propose_change(words[0].encode())
        else:
            calls = {
                "campaign": lambda: core.campaign(),
                "read": lambda: core.read_index(int(words[0])),
                "transfer": lambda: core.transfer(int(words[0])),
                "compact": lambda: core.compact(int(words[0])),
                "unreachable": lambda: core.report_unreachable(int(words[0])),
            }
            calls[verb]()
        self._finish(member)

    def _hears(self, member: Member, words: list[str]) -> None:
        kind, sender, given = words[0], int(words[2]), _options(words[3:])
        index, commit = int(given.pop("index", "0")), int(given.pop("commit", "0"))
        entries = _entries(given.pop("entries", ""), index)
        snapshot = None
        if "snapshot" in given:
            at, _, term = given.pop("snapshot").partition(":")
            snapshot = SnapshotMeta(int(at), int(term), _configuration(given))
        message = Message(
            MessageType[kind],
            member.id,
            sender,
            int(given.pop("term", member.core.term)),
            index,
            int(given.pop("log_term", "0")),
            commit,
            entries,
            given.pop("reject", "") == "yes",
            int(given.pop("hint", "0")),
            TRANSFER if given.get("context") == "transfer" else int(given.get("context", "0")),
            snapshot,
        )
        state = [Entry(0, i + 1, EntryKind.NORMAL, b"") for i in range(snapshot.index)] if snapshot else None
        member.receive(message, state)

    # ---- commands about all ----

    def _do_member(self, words: list[str]) -> None:
        given = _options(words[1:])
        key = int(words[0])
        terms = tuple(int(term) for term in given.get("log", "").split(",") if term)
        base, _, base_term = given.get("base", "0:0").partition(":")
        last_term = max([int(base_term), *terms])
        hard_state = HardState(
            int(given.get("term", last_term)), int(given.get("vote", "0")), int(given.get("commit", base))
        )
        config = RaftConfig(
            key,
            max_inflight=int(given.get("inflight", "64")),
            max_append_bytes=int(given.get("append_bytes", str(1 << 20))),
        )
        member = self.cluster.add(
            key,
            _configuration(given),
            terms=terms,
            hard_state=hard_state,
            base=(int(base), int(base_term)),
            config=config,
        )
        self._finish(member)

    def _do_deliver(self, words: list[str]) -> None:
        pending, self.cluster.network = self.cluster.network, []
        for message in pending:
            if words and _route(message) not in words:
                self.cluster.network.append(message)
            else:
                self.cluster.deliver(message)
        for member in self._up():
            self._finish(member)

    def _do_drop(self, words: list[str]) -> None:
        kept = [message for message in self.cluster.network if words and _route(message) not in words]
        self.cluster.network = kept

    def _do_settle(self, words: list[str]) -> None:
        for member in self._up():
            self._finish(member)
        while self.cluster.network:
            self._do_deliver([])

    def _do_tick(self, words: list[str]) -> None:
        for _ in range(int(words[0])):
            for member in self._up():
                member.core.tick()
            self._do_settle([])

    def _do_hold(self, words: list[str]) -> None:
        self.held |= {int(word) for word in words}

    def _do_release(self, words: list[str]) -> None:
        for word in words:
            self.held.discard(int(word))
            self._sync(self.cluster.members[int(word)])
            self._finish(self.cluster.members[int(word)])

    def _do_sync(self, words: list[str]) -> None:
        self._sync(self.cluster.members[int(words[0])])

    def _do_cut(self, words: list[str]) -> None:
        for word in words:
            sender, _, to = word.partition("→")
            self.cluster.cut.add((int(sender), int(to)))

    def _do_heal(self, words: list[str]) -> None:
        self.cluster.heal()

    def _do_crash(self, words: list[str]) -> None:
        self.cluster.crash(int(words[0]))

    def _do_restart(self, words: list[str]) -> None:
        self.held.discard(int(words[0]))
        self.cluster.restart(int(words[0]))
        self._finish(self.cluster.members[int(words[0])])

    def _do_state(self, words: list[str]) -> None:
        for key, member in self.cluster.members.items():
            core = member.core
            text = f"{key} {core.role.name} term={core.term} vote={core.vote} leader={core.leader}"
            text += f" commit={core.commit} applied={core.applied} log={_log(member)}"
            if key in self.cluster.down:
                text = f"{key} is down"
            self.out.append(text)
            for other, each in core.progress.items():
                if other != key:
                    paused = " paused" if each.paused else ""
                    self.out.append(f"    {other} {each.state.name} match={each.match} next={each.next}{paused}")

    # ---- work ----

    def _up(self) -> Iterable[Member]:
        return [member for key, member in self.cluster.members.items() if key not in self.cluster.down]

    def _finish(self, member: Member) -> None:
        while self._work(member):
            if member.id not in self.held:
                self._sync(member)

    def _work(self, member: Member) -> bool:
        applied, reads, writing = len(member.state), len(member.reads), member.writing
        configuration = member.core.configuration
        messages = member.work()
        if messages is None:
            return False
        for message in messages:
            self._say(message, "")
        ready = member.writing
        if ready is not None and ready is not writing:
            parts = []
            if ready.hard_state is not None:
                state = ready.hard_state
                parts.append(f"term={state.term} vote={state.vote} commit={state.commit}")
            if ready.snapshot is not None:
                parts.append(f"snapshot={ready.snapshot.index}:{ready.snapshot.term}")
            if ready.entries:
                parts.append(f"entries={_spans(ready.entries)}")
            self.out.append(f"{member.id} writes {' '.join(parts)}")
        if len(member.state) > applied:
            self.out.append(f"{member.id} applies {_spans(member.state[applied:])}")
        if member.core.configuration != configuration:
            self.out.append(f"{member.id} has {_members(member.core.configuration)}")
        for context, index in member.reads[reads:]:
            self.out.append(f"{member.id} may read {context} at {index}")
        return True

    def _sync(self, member: Member) -> None:
        snapshot = member.writing.snapshot if member.writing is not None else None
        for message in member.sync():
            self._say(message, " (synced)")
        if snapshot is not None:
            self.out.append(f"{member.id} installs {snapshot.index}:{snapshot.term} {_members(snapshot.configuration)}")

    def _say(self, message: Message, suffix: str) -> None:
        self.cluster.send([message])
        self.out.append(_text(message) + suffix)


def _route(message: Message) -> str:
    return f"{message.sender}→{message.to}"


def _text(message: Message) -> str:
    parts = [_route(message), message.type.name, f"term={message.term}"]
    for name in ("index", "log_term", "commit", "hint"):
        if getattr(message, name):
            parts.append(f"{name}={getattr(message, name)}")
    if message.context:
        is_vote = message.type == MessageType.VOTE
        parts.append("context=transfer" if is_vote else f"context={message.context}")
    if message.entries:
        parts.append(f"entries={_spans(message.entries)}")
    if message.snapshot is not None:
        parts.append(f"snapshot={message.snapshot.index}:{message.snapshot.term}")
    if message.reject:
        parts.append("reject")
    return " ".join(parts)


def _spans(entries: Sequence[Entry]) -> str:
    """1:1-2,3:3 — runs of one term."""
    spans: list[list[int]] = []
    for entry in entries:
        if spans and spans[-1][0] == entry.term:
            spans[-1][2] = entry.index
        else:
            spans.append([entry.term, entry.index, entry.index])
    return ",".join(f"{term}:{first}" if first == last else f"{term}:{first}-{last}" for term, first, last in spans)


def _log(member: Member) -> str:
    core = member.core
    entries = [
        Entry(core.term_at(index) or 0, index, EntryKind.NORMAL, b"")
        for index in range(core.first_index, core.last_index + 1)
    ]
    base = f"({core.first_index - 1}:{core.term_at(core.first_index - 1)})" if core.first_index > 1 else ""
    return base + (_spans(entries) or ("" if base else "empty"))


def _members(configuration: Configuration) -> str:
    text = f"voters={','.join(map(str, sorted(configuration.voters)))}"
    if configuration.learners:
        text += f" learners={','.join(map(str, sorted(configuration.learners)))}"
    return text


def _options(words: list[str]) -> Options:
    found: Options = {}
    for word in words:
        name, _, value = word.partition("=")
        found[name] = value or "yes"
    return found


def _ids(text: str) -> frozenset[int]:
    return frozenset(int(each) for each in text.split(",") if each)


def _configuration(given: Options) -> Configuration:
    return Configuration(_ids(given.get("voters", "")), _ids(given.get("learners", "")))


def _entries(terms: str, index: int) -> list[Entry]:
    found = [int(term) for term in terms.split(",") if term]
    return [Entry(term, index + 1 + i, EntryKind.NORMAL, b"") for i, term in enumerate(found)]


def replay(path: Path) -> tuple[str, str]:
    """(what the file says, what comes of its commands)."""
    wanted = path.read_text(encoding="utf-8")
    script, actual = Script(), []
    for line in wanted.splitlines():
        if line.startswith(">"):
            actual.append(line)
            actual += script.run(line[1:].strip())
        elif line.startswith("#") or not line.strip():
            actual.append(line)
    return wanted, "\n".join(actual) + "\n"


def difference(wanted: str, actual: str) -> str:
    return "\n".join(difflib.unified_diff(wanted.splitlines(), actual.splitlines(), "wanted", "actual", lineterm=""))


if __name__ == "__main__":
    import sys

    for name in sys.argv[1:]:
        Path(name).write_text(replay(Path(name))[1], encoding="utf-8")
