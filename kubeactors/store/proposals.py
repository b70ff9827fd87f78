"""Proposals on their way to the leader: held while there is none, proposed where it is, forwarded to where it is not.

What one member's proposals may come to is decided by terms. A proposal is given to the leader of one term, in that
member's log or in a frame that names the term. Once an entry of a later term is applied here, it either was applied
before that entry or never will be, as the terms in a log only grow: then, and in no other way, it is given up as surely
not applied.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence

from google.protobuf.message import Message as Request

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import errors, forward
from kubeactors.store.errors import LearnerNotReady, RequestTooLarge, StoreError, StoreUnavailable
from kubeactors.store.forward import BadForward, Frame, Proposed, Refused
from kubeactors.store.machine import command
from kubeactors.store.machine.command import CONFIG_KINDS, Kind
from kubeactors.store.pending import HELD, Done, Pending, PendingTable
from kubeactors.store.raft.core import RaftCore, Role
from kubeactors.store.raft.errors import ProposalRefused, TransferRunning

logger = logging.getLogger(__name__)

FORWARD_BYTES = 1024 * 1024
"""Requests in one frame to the leader; a single larger one goes alone."""
NOT_NOW = 0
"""The code of a refusal after which the proposal is to be tried again."""
READY_PERCENT = 90
"""A learner that has this share of the leader's log may be promoted, as in etcd."""


class Proposals:
    """`clock`: seconds, as time.monotonic; `time`: cluster time in milliseconds. `rng`: see Replica.

    `outgoing`: (to, frame), to be taken by whoever sends them.
    """

    def __init__(
        self,
        core: RaftCore,
        member_id: int,
        pending: PendingTable,
        timeout: float,
        max_request_bytes: int,
        clock: Callable[[], float],
        time: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self.outgoing: list[tuple[int, bytes]] = []
        self._core = core
        self._member_id = member_id
        self._pending = pending
        self._timeout = timeout
        self._max_request_bytes = max_request_bytes
        self._clock = clock
        self._time = time
        self._life = rng.getrandbits(63)
        self._next_id = rng.getrandbits(63)
        self._fresh: list[Pending] = []
        self._held: list[Pending] = []
        self._frames = 0
        self._sent_again: set[int] = set()
        self._seen = forward.Seen()

    def __len__(self) -> int:
        """Those that are not answered."""
        return len(self._pending)

    @property
    def fresh(self) -> bool:
        """There is something for `hand_over`."""
        return bool(self._fresh)

    def add(self, kind: Kind, request: Request, done: Done) -> None:
        """Raises TooManyRequests, RequestTooLarge."""
        table = self._pending
        table.check_room()
        body = request.SerializeToString()
        if len(body) > self._max_request_bytes:
            raise RequestTooLarge
        pending = Pending(self._next_id, kind, request, body, self._clock() + self._timeout, done)
        self._next_id += 1
        table.add(pending)
        self._fresh.append(pending)

    # ---- giving up ----

    def tick(self, now: float) -> None:
        overdue = list(self._pending.overdue(now))
        if overdue:  # what is answered must not be proposed any more
            gone = {pending.id for pending in overdue}
            self._fresh = [pending for pending in self._fresh if pending.id not in gone]
            self._held = [pending for pending in self._held if pending.id not in gone]
        for pending in overdue:
            unknown = pending.term != HELD
            pending.done(StoreUnavailable("etcdserver: request timed out", outcome_unknown=unknown))
        if self._held:
            self._fresh[:0] = self._held
            self._held.clear()

    def term_applied(self, term: int) -> None:
        """An entry of this term, and none of a later one, is about to be applied."""
        for pending in self._pending.before_term(term):
            self._pending.pop(pending.id)
            pending.done(StoreUnavailable("etcdserver: leader changed", outcome_unknown=False))

    def skipped(self, term: int) -> None:
        """Entries up to one of this term were not applied one by one: what was given to a leader until then may be
        among them."""
        for pending in self._pending.before_term(term + 1):
            self._pending.pop(pending.id)
            pending.done(StoreUnavailable("etcdserver: leader changed", outcome_unknown=True))

    def stop(self, reason: str) -> None:
        for pending in self._pending.all():
            self._pending.pop(pending.id)
            pending.done(StoreUnavailable(f"etcdserver: {reason}", outcome_unknown=pending.term != HELD))
        self._fresh.clear()
        self._held.clear()

    # ---- to the leader ----

    def new_term(self) -> None:
        """Of the core: frames of the one before are not taken any more."""
        self._seen.clear()
        self._sent_again.clear()

    def hand_over(self) -> None:
        """Give what is fresh to the leader, if one is known."""
        core = self._core
        if core.role is Role.LEADER:
            fresh, self._fresh = self._fresh, []
            term, time, own = core.term, self._time(), self._member_id
            for pending in fresh:
                pending.term = term  # it is this leader's to refuse
                try:
                    self._propose(pending.kind, pending.body, time, own, pending.id)
                except ProposalRefused:
                    self._hold(pending.id, term)
                except StoreError as error:
                    self._refuse(pending.id, term, error)
        elif core.leader:
            fresh, self._fresh = self._fresh, []
            size = 0
            batch: list[Pending] = []
            for pending in fresh:
                if batch and size + len(pending.body) > FORWARD_BYTES:
                    self._forward_new(batch)
                    size, batch = 0, []
                batch.append(pending)
                size += len(pending.body)
            self._forward_new(batch)

    def _propose(self, kind: int, body: bytes, time: int, origin: int, request_id: int) -> None:
        """Raises ProposalRefused (not now), StoreError (never)."""
        data = command.pack(kind, time, origin, request_id, body)
        if kind not in CONFIG_KINDS:
            self._core.propose(data)
            return
        if kind == Kind.MEMBER_PROMOTE:
            self._check_ready(body)
        elif kind == Kind.MEMBER_REMOVE:
            self._leave_to_the_last(rpc_pb2.Member.FromString(body).ID)
        self._core.propose_change(data)

    def _leave_to_the_last(self, removed: int) -> None:
        """Of two voters the one that stays must be the leader that removes the other. A leader that removed itself
        would have to tell the last one that this is committed; if that is lost, the last one waits for it for ever."""
        others = self._core.configuration.voters - {self._member_id}
        if removed == self._member_id and len(others) == 1:
            if not self._core.transferring:
                self._core.transfer(next(iter(others)))
            raise TransferRunning

    def _check_ready(self, body: bytes) -> None:
        """Raises LearnerNotReady when the learner of this promotion has not caught up."""
        progress = self._core.progress
        learner = progress.get(rpc_pb2.Member.FromString(body).ID)
        if learner is not None and learner.match * 100 < progress[self._member_id].match * READY_PERCENT:
            raise LearnerNotReady

    def _forward_new(self, batch: Sequence[Pending]) -> None:
        self._frames += 1
        for pending in batch:
            pending.term = self._core.term
            pending.frame = self._frames
        self._forward(self._core.leader, self._frames, batch)

    def _forward(self, to: int, sequence: int, batch: Sequence[Pending]) -> None:
        proposals = [Proposed(pending.id, pending.kind, pending.body) for pending in batch]
        self.outgoing.append((to, forward.encode_proposals(self._core.term, self._life, sequence, proposals)))

    def _hold(self, request_id: int, term: int) -> None:
        """What was surely not proposed in this term is tried again at the next tick."""
        pending = self._pending.get(request_id)
        if pending is not None and pending.term == term:
            pending.term, pending.frame = HELD, 0
            self._held.append(pending)

    def _refuse(self, request_id: int, term: int, error: StoreError) -> None:
        pending = self._pending.get(request_id)
        if pending is not None and pending.term == term:
            self._pending.pop(request_id)
            pending.done(error)

    def failed(self, frame: bytes) -> None:
        """This frame was surely not delivered: its proposals are held, until the next tick at least; but not those of
        a frame that had been sent before, when it may have arrived."""
        found = forward.decode(frame)
        if found.type == forward.PROPOSALS and found.sequence not in self._sent_again:
            for proposed in forward.proposals(found):
                self._hold(proposed.id, found.term)

    def connected(self, member: int) -> None:
        """Nothing that was sent to this member before is under way any more: what the leader may have missed is sent
        again. It takes a frame once."""
        if member != self._core.leader:
            return
        frames: dict[int, list[Pending]] = {}
        for pending in self._pending.all():
            if pending.frame and pending.term == self._core.term:
                frames.setdefault(pending.frame, []).append(pending)
        for sequence, lost in frames.items():
            self._sent_again.add(sequence)
            self._forward(member, sequence, lost)

    # ---- from other members ----

    def forwarded(self, sender: int, frame: bytes) -> None:
        try:
            found = forward.decode(frame)
            if found.type == forward.PROPOSALS:
                self._take_proposals(sender, found)
            else:
                self._take_refusals(found)
        except BadForward as error:
            logger.error("member %x sent what cannot be read: %s", sender, error)

    def _take_proposals(self, sender: int, frame: Frame) -> None:
        core = self._core
        if core.role is not Role.LEADER or core.term != frame.term:
            # Whoever sent it hears of the new term's first entry, and then knows. A refusal could be of a frame that
            # arrives for the second time.
            return
        if not self._seen.take(sender, frame.life, frame.sequence):
            return
        time = self._time()
        refused: list[Refused] = []
        for request_id, kind, body in forward.proposals(frame):
            try:
                if len(body) > self._max_request_bytes:
                    raise RequestTooLarge
                self._propose(kind, body, time, sender, request_id)
            except ProposalRefused:
                refused.append(Refused(request_id, NOT_NOW, ""))
            except StoreError as error:
                refused.append(Refused(request_id, error.code, error.message))
        if refused:
            self.outgoing.append((sender, forward.encode_refusals(frame.term, frame.life, frame.sequence, refused)))

    def _take_refusals(self, frame: Frame) -> None:
        if frame.life != self._life:
            return
        for request_id, code, message in forward.refusals(frame):
            pending = self._pending.get(request_id)
            if pending is None or pending.frame != frame.sequence:
                continue  # an old refusal, of a frame that it no longer is in
            if code == NOT_NOW:
                self._hold(request_id, frame.term)
            else:
                self._refuse(request_id, frame.term, errors.from_wire(code, message, outcome_unknown=False))
