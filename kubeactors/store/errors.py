"""What the store answers when it cannot do as asked, with etcd's codes and words.

The same classes are raised inside a member, carried over the wire as (gRPC code, message), and raised by the client.
Codes and messages are those of etcd v3.5, because etcd's client libraries tell errors apart by them.
"""

from __future__ import annotations

from typing import ClassVar

CANCELLED = 1
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15


class StoreError(Exception):
    """A request that was refused or failed. `code` is the gRPC status code as a number."""

    code: ClassVar[int] = INTERNAL
    default: ClassVar[str] = "etcdserver: internal error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.default)

    @property
    def message(self) -> str:
        return str(self.args[0])

    @property
    def outcome_unknown(self) -> bool:
        """True when the request may have been, or may yet be, applied; False when it surely was not."""
        return False


class InvalidRequest(StoreError):
    code = INVALID_ARGUMENT
    default = "etcdserver: invalid request"


class EmptyKey(InvalidRequest):
    default = "etcdserver: key is not provided"


class KeyNotFound(InvalidRequest):
    """`ignore_value` or `ignore_lease` on a key that does not exist."""

    default = "etcdserver: key not found"


class ValueProvided(InvalidRequest):
    default = "etcdserver: value is provided"


class LeaseProvided(InvalidRequest):
    default = "etcdserver: lease is provided"


class TooManyOps(InvalidRequest):
    default = "etcdserver: too many operations in txn request"


class DuplicateKey(InvalidRequest):
    """A transaction that would write one key twice."""

    default = "etcdserver: duplicate key given in txn request"


class RequestTooLarge(InvalidRequest):
    default = "etcdserver: request is too large"


class Compacted(StoreError):
    """The revision asked for lies before `compact_revision`, the first one that is kept."""

    code = OUT_OF_RANGE
    default = "etcdserver: mvcc: required revision has been compacted"

    def __init__(self, message: str = "", compact_revision: int = 0) -> None:
        super().__init__(message)
        self.compact_revision = compact_revision


class FutureRevision(StoreError):
    code = OUT_OF_RANGE
    default = "etcdserver: mvcc: required revision is a future revision"


class LeaseNotFound(StoreError):
    code = NOT_FOUND
    default = "etcdserver: requested lease not found"


class LeaseExists(StoreError):
    code = FAILED_PRECONDITION
    default = "etcdserver: lease already exists"


class LeaseTtlTooLarge(StoreError):
    code = OUT_OF_RANGE
    default = "etcdserver: too large lease TTL"


class TooManyRequests(StoreError):
    """The member has as many proposals waiting as it will hold; nothing was applied."""

    code = RESOURCE_EXHAUSTED
    default = "etcdserver: too many requests"


class NoSpace(StoreError):
    """The state has reached its quota, or had: a NOSPACE alarm is raised until somebody disarms it."""

    code = RESOURCE_EXHAUSTED
    default = "etcdserver: mvcc: database space exceeded"


class NotBuilt(StoreError):
    """A call of etcd's API that this store does not offer."""

    code = UNIMPLEMENTED
    default = "etcdserver: not implemented"


class CorruptData(StoreError):
    """A file of the store holds what was never written to it. The message names the file and the offset."""

    code = DATA_LOSS
    default = "etcdserver: corrupt data"


class CorruptCluster(StoreError):
    """A CORRUPT alarm is raised: nothing is changed until somebody disarms it."""

    code = DATA_LOSS
    default = "etcdserver: corrupt cluster"


class MemberNotFound(StoreError):
    """No member of the cluster has this id (any more)."""

    code = NOT_FOUND
    default = "etcdserver: member not found"


class MemberExists(StoreError):
    code = FAILED_PRECONDITION
    default = "etcdserver: member ID already exist"


class PeerUrlExists(StoreError):
    code = FAILED_PRECONDITION
    default = "etcdserver: Peer URLs already exists"


class LearnerNotFound(StoreError):
    """A member that is to be promoted is no learner."""

    code = FAILED_PRECONDITION
    default = "etcdserver: can only promote a learner member"


class LearnerNotReady(StoreError):
    """A learner that is to be promoted is too far behind the leader."""

    code = FAILED_PRECONDITION
    default = "etcdserver: can only promote a learner member which is in sync with leader"


class TooManyLearners(StoreError):
    code = FAILED_PRECONDITION
    default = "etcdserver: too many learner members in cluster"


class NotEnoughStarted(StoreError):
    """After this change of the membership too few of the members would be running."""

    code = FAILED_PRECONDITION
    default = "etcdserver: re-configuration failed due to not enough started members"


class Unhealthy(StoreError):
    """A change of membership while members are not connected, which could cost the quorum."""

    code = UNAVAILABLE
    default = "etcdserver: unhealthy cluster"


class BadMemberUrls(InvalidRequest):
    default = "etcdserver: given member URLs are invalid"


class BadDowngradeVersion(InvalidRequest):
    default = "etcdserver: wrong downgrade target version format"


class InvalidDowngradeTarget(InvalidRequest):
    default = "etcdserver: invalid downgrade target version"


class NoDowngrade(StoreError):
    """There is no downgrade to cancel."""

    code = FAILED_PRECONDITION
    default = "etcdserver: no inflight downgrade job"


class NotForLearners(StoreError):
    """A learner answers only what its own state suffices for."""

    code = UNAVAILABLE
    default = "etcdserver: rpc not supported for learner"


class NoLeader(StoreError):
    """Said to those who asked for it by the metadata `hasleader`, while this member knows no leader."""

    code = UNAVAILABLE
    default = "etcdserver: no leader"


class BadTransferee(StoreError):
    """Leadership cannot be handed to this member."""

    code = FAILED_PRECONDITION
    default = "etcdserver: bad leader transferee"


class NotLeaderError(StoreError):
    """Only the leader can do this."""

    code = FAILED_PRECONDITION
    default = "etcdserver: not leader"


class StoreUnavailable(StoreError):
    """No answer: the member is down, stopping, unreachable, or the deadline passed.

    `outcome_unknown` tells a write that was never handed to a member (False: surely not applied, safe to repeat)
    from one that was (True: it may have been, or may yet be, applied).
    """

    code = UNAVAILABLE
    default = "etcdserver: server stopped"

    def __init__(self, message: str = "", *, outcome_unknown: bool) -> None:
        super().__init__(message)
        self._outcome_unknown = outcome_unknown

    @property
    def outcome_unknown(self) -> bool:
        return self._outcome_unknown


_BY_MESSAGE: dict[str, type[StoreError]] = {
    cls.default: cls
    for cls in (
        EmptyKey,
        KeyNotFound,
        ValueProvided,
        LeaseProvided,
        TooManyOps,
        DuplicateKey,
        RequestTooLarge,
        FutureRevision,
        LeaseNotFound,
        LeaseExists,
        LeaseTtlTooLarge,
        TooManyRequests,
        MemberNotFound,
        MemberExists,
        PeerUrlExists,
        LearnerNotFound,
        LearnerNotReady,
        TooManyLearners,
        NotEnoughStarted,
        BadTransferee,
        NotLeaderError,
        NoSpace,
        CorruptCluster,
    )
}
_BY_CODE: dict[int, type[StoreError]] = {
    INVALID_ARGUMENT: InvalidRequest,
    UNIMPLEMENTED: NotBuilt,
    DATA_LOSS: CorruptData,
    RESOURCE_EXHAUSTED: TooManyRequests,
}


# gRPC itself ends calls with these when a stream breaks: cancelled, unknown, aborted, internal.
_BROKEN_CALLS = frozenset({1, 2, 10, 13})


class RemoteError(StoreError):
    """An error of a code that has no class of its own."""

    def __init__(self, code: int, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.remote_code = code
        self._outcome_unknown = outcome_unknown

    @property
    def outcome_unknown(self) -> bool:
        return self._outcome_unknown


def from_wire(code: int, message: str, *, outcome_unknown: bool, compact_revision: int = 0) -> StoreError:
    """The exception for an error that came over the wire.

    `outcome_unknown`: whether the request may have been applied if the error is one of those that do not tell.
    """
    if message == Compacted.default:
        return Compacted(message, compact_revision)
    if code in (UNAVAILABLE, DEADLINE_EXCEEDED):
        return StoreUnavailable(message, outcome_unknown=outcome_unknown)
    cls = _BY_MESSAGE.get(message) or _BY_CODE.get(code)
    if cls is not None:
        return cls(message)
    return RemoteError(code, message, outcome_unknown=outcome_unknown and code in _BROKEN_CALLS)
