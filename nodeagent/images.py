"""Having a container's image here: pull policies, back-off between failed pulls, events in kubelet's words."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from nodeagent.pods import backoff
from nodeagent.pods.backoff import BackOff
from nodeagent.runtime.interface import Image, ImagePullFailure, NoSuchImage, Runtime

logger = logging.getLogger(__name__)

Tell = Callable[[str, str, str], None]  # type, reason, message of an event

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:(?:{_DOMAIN}|\[[a-fA-F0-9:]+\](?::[0-9]+)?)/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?"
)


class ImageError(Exception):
    """The image cannot be had. `reason` is the container's waiting reason; `retry_at` is when to try again."""

    def __init__(self, reason: str, message: str, retry_at: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_at = retry_at


@dataclass(frozen=True)
class Reference:
    """An image reference as the runtime is asked for it."""

    name: str

    @property
    def pulled(self) -> str:
        """With the registry spelt out, as a pull needs it."""
        first, slash, rest = self.name.partition("/")
        if not slash:
            return f"docker.io/library/{self.name}"
        if "." in first or ":" in first or first == "localhost":
            return self.name
        return f"docker.io/{first}/{rest}"


def parse_reference(text: str) -> Reference:
    """With the tag `latest` when it has neither tag nor digest. Raises ValueError."""
    match = _REFERENCE.fullmatch(text)
    if match is None or len(match["name"]) > 255:
        raise ValueError("invalid reference format")
    return Reference(text if match["tag"] or match["digest"] else f"{text}:latest")


def default_policy(image: str) -> str:
    """What the API server fills in, for pods that did not pass through it."""
    return "Always" if image.endswith(":latest") or ":" not in image.rsplit("/", 1)[-1] else "IfNotPresent"


class Images:
    """Pulls are bounded to `parallel` at once; the same image is pulled once for all who wait for it."""

    def __init__(self, runtime: Runtime, *, clock: Callable[[], float] = time.time, parallel: int = 4) -> None:
        self._runtime = runtime
        self._clock = clock
        self._slots = asyncio.Semaphore(parallel)
        self._back_off: dict[str, tuple[BackOff, float, str]] = {}  # image → entry, when it failed, with what
        self._pulls: dict[str, asyncio.Task[Image]] = {}

    async def ensure(self, image: str, policy: str, tell: Tell) -> Image:
        """The image, pulled if the policy wants it. Raises ImageError."""
        try:
            reference = parse_reference(image)
        except ValueError as error:
            text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {error}'
            tell("Warning", "InspectFailed", text)
            raise ImageError("InvalidImageName", text, self._clock() + backoff.INITIAL) from error
        policy = policy or default_policy(image)
        if policy != "Always":
            try:
                found = await self._runtime.image(reference.name)
            except NoSuchImage:
                found = None
            if found is not None:
                text = f'Container image "{image}" already present on machine and can be accessed by the pod'
                tell("Normal", "Pulled", text)
                return found
            if policy == "Never":
                text = f'Container image "{image}" is not present with pull policy of Never'
                tell("Warning", "ErrImageNeverPull", text)
                raise ImageError("ErrImageNeverPull", text, self._clock() + backoff.INITIAL)
        return await self._pull(image, reference, tell)

    async def stop(self) -> None:
        pulls = list(self._pulls.values())
        for task in pulls:
            task.cancel()
        await asyncio.gather(*pulls, return_exceptions=True)

    async def _pull(self, image: str, reference: Reference, tell: Tell) -> Image:
        now = self._clock()
        if image in self._back_off:
            entry, failed_at, text = self._back_off[image]
            wait = backoff.remaining(entry, failed_at, now)
            if wait > 0:
                message = f'Back-off pulling image "{image}": ErrImagePull: {text}'
                tell("Normal", "BackOff", f'Back-off pulling image "{image}"')
                raise ImageError("ImagePullBackOff", message, now + wait)
        tell("Normal", "Pulling", f'Pulling image "{image}"')
        try:
            pulled = await self._shared_pull(reference.pulled)
        except ImagePullFailure as error:
            tell("Warning", "Failed", f'Failed to pull image "{image}": {error}')
            failed_at = self._clock()
            before = self._back_off.get(image)
            entry = backoff.advance(before[0] if before else None, failed_at, failed_at)
            self._back_off[image] = (entry, failed_at, str(error))
            raise ImageError("ErrImagePull", str(error), failed_at + entry.delay) from error
        self._back_off.pop(image, None)
        took = round(self._clock() - now, 3)
        text = f'Successfully pulled image "{image}" in {took:g}s ({took:g}s including waiting).'
        tell("Normal", "Pulled", f"{text} Image size: {pulled.size} bytes.")
        return pulled

    async def _shared_pull(self, name: str) -> Image:
        task = self._pulls.get(name)
        if task is None:
            task = asyncio.create_task(self._run_pull(name), name=f"pull {name}")
            self._pulls[name] = task
            task.add_done_callback(lambda done: self._pulled(name, done))
        # One waiter's cancellation must not end the pull for the others.
        return await asyncio.shield(task)

    def _pulled(self, name: str, done: asyncio.Task[Image]) -> None:
        self._pulls.pop(name, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            # Whoever still waits tells it; when nobody does any more, this is all that is left of it.
            logger.info("pull of %s failed: %s", name, error)

    async def _run_pull(self, name: str) -> Image:
        async with self._slots:
            return await self._runtime.pull(name)
