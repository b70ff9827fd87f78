"""What a worker makes of the containers and the record that an earlier agent left. Pure, but for removing files."""

from collections import defaultdict
from collections.abc import Sequence

from kubeactors.api.meta import Object
from nodeagent.paths import PodPaths
from nodeagent.pods.container_config import LABEL_ATTEMPT, LABEL_CONTAINER, LABEL_IMAGE, LABEL_SANDBOX
from nodeagent.pods.state import PodState, Run, new_state
from nodeagent.runtime.interface import ContainerRecord


def adopted_state(pod: Object, recorded: PodState | None, found: Sequence[ContainerRecord], now: float) -> PodState:
    """The state to go on from: what the runtime has, with what the record knows beyond it."""
    state = recorded or new_state(pod, now)
    by_name: dict[str, list[ContainerRecord]] = defaultdict(list)
    for record in found:
        if record.status != "created":
            by_name[record.labels.get(LABEL_CONTAINER, "")].append(record)
    for name, container in state.containers.items():
        known = {run.id: run for run in (container.run, container.last) if run is not None}
        present = sorted(by_name[name], key=_attempt, reverse=True)
        runs = [_run(record, known.get(record.id)) for record in present[:2]]
        if not runs and container.run is not None:
            # Gone behind our back; what the record says of its end, or that it must have ended, is all there is.
            if container.run.status != "exited":
                container.run.status, container.run.finished_at = "exited", now
                container.run.exit_code, container.run.reason = 137, "ContainerStatusUnknown"
        else:
            container.run = runs[0] if runs else None
            container.last = runs[1] if len(runs) > 1 else container.last if runs else None
        if not container.is_running:
            container.started = container.ready = False
        container.kill_message, container.kill_grace = "", None
    if recorded is None and any(c.run is not None for c in state.containers.values()):
        # The record was lost; the network is looked up again, by uid, and found as it is.
        attempts = [c.run.sandbox for c in state.containers.values() if c.run is not None]
        state.sandbox.attempt = max(attempts)
    state.in_flight = frozenset()
    state.final_status_written = state.delete_requested = False
    return state


def leftovers(state: PodState, found: Sequence[ContainerRecord]) -> list[ContainerRecord]:
    """Containers that belong to no run: never started, or attempts too old to be asked for."""
    kept = {run.id for c in state.containers.values() for run in (c.run, c.last) if run is not None}
    return [record for record in found if record.id not in kept]


def remove_attempt_files(paths: PodPaths, container: str, attempt: int) -> None:
    """Remove an attempt's logs (rotated ones too) and termination message. Blocks."""
    paths.termination_log(container, attempt).unlink(missing_ok=True)
    log = paths.log(container, attempt)
    for file in log.parent.glob(f"{attempt}.log*"):
        file.unlink(missing_ok=True)


def _attempt(record: ContainerRecord) -> int:
    return int(record.labels.get(LABEL_ATTEMPT) or 0)


def _run(record: ContainerRecord, known: Run | None) -> Run:
    if known is not None and (known.status == "exited" or record.status == "running"):
        # The record's times are those that the status has shown already.
        known.status = "running" if record.status == "running" else "exited"
        return known
    run = known or Run(
        id=record.id,
        attempt=_attempt(record),
        status="exited",
        created_at=record.created_at,
        image=record.labels.get(LABEL_IMAGE) or record.image,
        image_id=record.image_id,
        started_at=record.started_at,
        sandbox=int(record.labels.get(LABEL_SANDBOX) or 0),
        hook_done=True,
    )
    run.pid = record.pid
    if record.status == "running":
        run.status = "running"
        return run
    run.status = "exited"
    run.finished_at = record.finished_at or record.started_at or record.created_at
    run.exit_code = 137 if record.exit_code is None else record.exit_code
    if record.exit_code is None:
        run.reason = "ContainerStatusUnknown"
    elif record.oom_killed and record.exit_code != 0:
        run.reason = "OOMKilled"
    else:
        run.reason = "Completed" if record.exit_code == 0 else "Error"
    return run
