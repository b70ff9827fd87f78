"""Why the core refuses."""

from __future__ import annotations


class ProposalRefused(Exception):
    """Nothing was appended."""


class NotLeader(ProposalRefused):
    """This member does not lead; a proposal must go to the one that does. Nothing was appended."""


class TransferRunning(NotLeader):
    """This member still leads, but is handing leadership over and takes no proposals meanwhile."""


class ChangePending(ProposalRefused):
    """An earlier change of the configuration, or the first entry of this leader's term, is not applied yet."""


class NoLeader(Exception):
    """No leader is known that could confirm a read."""


class InconsistentLog(Exception):
    """The log contradicts what must be true: data was lost or damaged, or there is a bug. The member must stop."""
