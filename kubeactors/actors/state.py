"""Who is a master and what each machine is called: decided once, known on every machine.

The truth is the ConfigMap kube-system/kubeactors (`record.py`). Each machine keeps a copy in a file, which its node
agent's host brings up to date, so that masters are found with Ray's head and every API server away.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from kubeactors.actors.machines import Machine, assign_name
from kubeactors.pki.files import PUBLIC, write_atomically

logger = logging.getLogger(__name__)


class StateError(ValueError):
    """Text that is no cluster's state; the message says where it stands."""


@dataclass(frozen=True)
class ClusterState:
    """`id` is the cluster's own; `generation` grows with every change. `wanted` is how many masters there are to be;
    `masters` are the addresses of those chosen so far, in their order; `names` gives each machine's node name by its
    address."""

    id: str
    generation: int
    wanted: int
    masters: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    ray_address: str = ""

    @classmethod
    def found(cls, machine: Machine, wanted: int, ray_address: str) -> ClusterState:
        """A new cluster's, with its first master."""
        state = cls(uuid.uuid4().hex, 1, wanted, (machine.address,), {}, ray_address)
        return replace(state.with_machines([machine]), generation=1)

    def with_machines(self, machines: Iterable[Machine]) -> ClusterState:
        """Names for machines that have none yet. A machine keeps its name for good."""
        names = dict(self.names)
        for machine in machines:
            names[machine.address] = assign_name(machine, names)
        return self._changed(names=names)

    def with_masters(self, alive: Sequence[Machine]) -> ClusterState:
        """More masters, if more are wanted and enough machines are there: all that lack, or none.

        A store of two members is more fragile than one of one, so that growing begins only when it can be finished.
        """
        lacking = self.wanted - len(self.masters)
        free = sorted(machine.address for machine in alive if machine.address not in self.masters)
        if lacking <= 0 or len(free) < lacking:
            return self
        return self._changed(masters=(*self.masters, *free[:lacking]))

    def wanting(self, masters: int) -> ClusterState:
        """With so many masters wanted. Raises ValueError for fewer than there are."""
        if masters < self.wanted:
            raise ValueError(f"the cluster has {self.wanted} masters and cannot go back to {masters}")
        return self._changed(wanted=masters)

    def at(self, ray_address: str) -> ClusterState:
        """With Ray's head at an address."""
        return self._changed(ray_address=ray_address)

    def name(self, address: str) -> str:
        """A machine's node name; its address if it has none yet."""
        return self.names.get(address, address)

    def _changed(self, **fields: object) -> ClusterState:
        changed = replace(self, **fields)  # type: ignore[arg-type]
        return self if changed == self else replace(changed, generation=self.generation + 1)

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ClusterState:
        """Raises StateError for anything that is no state."""
        try:
            document = json.loads(text)
            return cls(
                id=str(document["id"]),
                generation=int(document["generation"]),
                wanted=int(document["wanted"]),
                masters=tuple(map(str, document["masters"])),
                names={str(address): str(name) for address, name in document["names"].items()},
                ray_address=str(document.get("ray_address", "")),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise StateError(f"not a cluster's state: {error!r}") from error


class StateFile:
    """A machine's copy."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._state: ClusterState | None = None

    def load(self) -> ClusterState | None:
        """The state as last written by any process; None before the first. Cheap to call again. Raises StateError."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._state, self._stamp = ClusterState.from_json(self._path.read_text()), stamp
        except FileNotFoundError:
            self._state = self._stamp = None
        except StateError as error:
            raise StateError(f"{self._path}: {error}") from error
        return self._state

    def take(self, state: ClusterState) -> bool:
        """Write a state that is newer than the file's, or another cluster's; returns whether it was.

        The file may be left from a cluster that is gone: whoever hands a state over belongs to the present one.
        """
        known = self.load()
        if known is not None and known.id == state.id and known.generation >= state.generation:
            return False
        write_atomically(self._path, state.to_json().encode(), PUBLIC)
        logger.info("the cluster's state is now generation %d: masters %s", state.generation, ", ".join(state.masters))
        return True
