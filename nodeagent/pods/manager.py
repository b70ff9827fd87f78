"""All pods of the node: one worker each, from the informer, from records and from the runtime's containers."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence, Set
from pathlib import Path

from kubeactors.api.meta import Object, key, name, namespace, uid
from kubeactors.client import Informer
from netplugin.interface import NetworkError
from nodeagent.pods import record
from nodeagent.pods.container_config import LABEL_POD_NAME, LABEL_POD_NAMESPACE, LABEL_POD_UID
from nodeagent.pods.context import NodeContext
from nodeagent.pods.sandbox import pod_cgroups
from nodeagent.pods.state import PodState
from nodeagent.pods.worker import PodWorker, StatusSink
from nodeagent.runtime.interface import ContainerRecord, RuntimeFailure
from nodeagent.volumes.manager import remove_tree

logger = logging.getLogger(__name__)


class PodManager:
    """`pods` is an informer of this node's pods; the manager adds its handlers, the owner starts it."""

    def __init__(self, context: NodeContext, pods: Informer, statuses: StatusSink) -> None:
        self._context = context
        self._pods = pods
        self._statuses = statuses
        self.workers: dict[str, PodWorker] = {}
        self._tasks: list[asyncio.Task[None]] = []
        #: Containers of pods that have no record, until the API server has told what they are.
        self._found: dict[str, list[ContainerRecord]] = {}

    async def start(self) -> None:
        """Adopt what an earlier agent left, then follow the informer. Raises RuntimeFailure."""
        self._found = _by_uid(await self._context.runtime.list())
        recorded = await asyncio.to_thread(self._read_records)
        for pod, state in recorded:
            self._adopt(pod, state, self._found.pop(uid(pod), ()))
        self._pods.add_handler(self._on_add, self._on_update, self._on_delete)
        self._tasks.append(asyncio.create_task(self._after_sync(), name="orphans"))
        self._tasks.append(asyncio.create_task(self._resync(), name="resync"))

    async def stop(self) -> None:
        """Stop caring; pods go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self.workers.values()))

    def find(self, pod_namespace: str, pod_name: str, pod_uid: str = "") -> PodWorker | None:
        """The worker of a pod by name, or by uid when that is given."""
        if pod_uid:
            return self.workers.get(pod_uid)
        found = [w for w in self.workers.values() if (namespace(w.pod), name(w.pod)) == (pod_namespace, pod_name)]
        # A pod that is being replaced under its name: the younger one is meant.
        return max(found, key=lambda w: (not w.state.removed, w.state.start_time), default=None)

    def objects_changed(self, pod_uid: str) -> None:
        worker = self.workers.get(pod_uid)
        if worker is not None:
            worker.objects_changed()

    # -- the informer ----------------------------------------------------------------------------------------------

    def _on_add(self, pod: Object) -> None:
        worker = self.workers.get(uid(pod))
        if worker is not None:
            worker.update(pod)
        elif (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            self._begin(pod)
        elif pod["metadata"].get("deletionTimestamp"):
            self._begin(pod)  # ended long ago; somebody has to confirm its deletion

    def _on_update(self, _old: Object, pod: Object) -> None:
        self._on_add(pod)

    def _on_delete(self, pod: Object) -> None:
        worker = self.workers.get(uid(pod))
        if worker is not None:
            worker.update(pod)
            worker.remove()

    def _begin(self, pod: Object) -> PodWorker:
        found = self._found.pop(uid(pod), None)
        if found:
            return self._adopt(pod, None, found)
        worker = self.workers[uid(pod)] = PodWorker(self._context, self._statuses, pod, self._forget)
        worker.start()
        return worker

    def _adopt(self, pod: Object, state: PodState | None, found: Sequence[ContainerRecord]) -> PodWorker:
        worker = self.workers[uid(pod)] = PodWorker(self._context, self._statuses, pod, self._forget)
        worker.adopt(state, found)
        worker.start()
        self._tasks.append(asyncio.create_task(worker.check_sandbox(), name=f"check {key(pod)}"))
        return worker

    def _forget(self, pod_uid: str) -> None:
        self.workers.pop(pod_uid, None)

    # -- what is nobody's ------------------------------------------------------------------------------------------

    def _read_records(self) -> list[tuple[Object, PodState]]:
        directory = self._context.config.pods_dir
        if not directory.is_dir():
            return []
        found = (record.read(entry / "record.json") for entry in sorted(directory.iterdir()))
        return [pair for pair in found if pair is not None]

    async def _after_sync(self) -> None:
        """Once the API server has told which pods there are, end those that it no longer has."""
        while not self._pods.has_synced:
            try:
                await self._pods.wait_synced(60.0)
            except TimeoutError as error:
                logger.warning("%s; pods go on as recorded", error)
        wanted = {uid(pod): pod for pod in self._pods.lister.list()}
        for pod_uid, worker in list(self.workers.items()):
            if pod_uid not in wanted:
                worker.remove()
        orphans, self._found = self._found, {}
        for pod_uid, containers in orphans.items():
            await self._remove_orphans(pod_uid, containers)
        await self._remove_orphan_networks()
        await self._remove_orphan_directories()
        await self._remove_orphan_cgroups(set(orphans))

    async def _remove_orphans(self, pod_uid: str, containers: Sequence[ContainerRecord]) -> None:
        labels = containers[0].labels
        whose = f"{labels.get(LABEL_POD_NAMESPACE)}/{labels.get(LABEL_POD_NAME)} ({pod_uid})"
        for container in containers:
            try:
                await self._context.runtime.remove(container.id)
                logger.info("removed container %s of %s, which is nobody's", container.id[:12], whose)
            except RuntimeFailure as error:
                logger.warning("could not remove container %s of %s: %s", container.id[:12], whose, error)

    async def _remove_orphan_networks(self) -> None:
        try:
            for pod_uid in await self._context.network.pods():
                if pod_uid not in self.workers:
                    await self._context.network.delete(pod_uid)
                    logger.info("removed the network of pod %s, which is gone", pod_uid)
        except NetworkError as error:
            logger.warning("removing networks of gone pods: %s", error)

    async def _remove_orphan_directories(self) -> None:
        # First what is there, then whose it is: a worker's directories come after the worker.
        config = self._context.config
        present = await asyncio.to_thread(_entries, config.pods_dir, config.run_dir / "pods")
        mine = {path for worker in self.workers.values() for path in (worker.paths.root, worker.paths.run)}
        for directory in present:
            if directory not in mine:
                try:
                    await asyncio.to_thread(remove_tree, directory)
                except OSError as error:
                    logger.warning("could not remove %s, which is nobody's: %s", directory, error)

    async def _remove_orphan_cgroups(self, with_containers: Set[str]) -> None:
        """Groups whose pods ended while a container's monitor still lived in them, or under another agent."""
        # First what is there, then whose it is, as above.
        present = await asyncio.to_thread(pod_cgroups, self._context.cgroups, self._context.config.cgroup_root)
        for pod_uid, group in present:
            if pod_uid not in self.workers and pod_uid not in with_containers:
                await asyncio.to_thread(self._context.cgroups.remove, group)

    async def _resync(self) -> None:
        """From time to time, compare what we believe with what the runtime and the network have."""
        while True:
            await asyncio.sleep(self._context.config.resync_interval)
            try:
                before = set(self.workers)
                listed_at = self._context.clock()
                found = _by_uid(await self._context.runtime.list())
            except RuntimeFailure as error:
                logger.warning("resync: %s", error)
                continue
            for pod_uid, worker in list(self.workers.items()):
                if pod_uid in before:
                    worker.observe(found.get(pod_uid, ()), listed_at)
                    await worker.check_sandbox()
            if self._pods.has_synced:
                for pod_uid, containers in found.items():
                    if pod_uid not in self.workers and self._pods_by_uid(pod_uid) is None:
                        await self._remove_orphans(pod_uid, containers)
                await self._remove_orphan_cgroups(set(found))

    def _pods_by_uid(self, pod_uid: str) -> Object | None:
        return next((pod for pod in self._pods.lister.list() if uid(pod) == pod_uid), None)


def _entries(*parents: Path) -> list[Path]:
    return [entry for parent in parents if parent.is_dir() for entry in parent.iterdir()]


def _by_uid(containers: Sequence[ContainerRecord]) -> dict[str, list[ContainerRecord]]:
    result: dict[str, list[ContainerRecord]] = defaultdict(list)
    for container in containers:
        result[container.labels.get(LABEL_POD_UID, "")].append(container)
    return result
