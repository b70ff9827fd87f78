"""Tokens of service accounts for this node's pods: asked for when a volume needs one, and again before they end.

The rules are kubelet's: a token is replaced when 80 % of its life is over, or after a day, some seconds earlier by
chance, so that a node's pods do not all ask at once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, name, namespace, parse_time, uid
from kubeactors.client import ApiUnavailable, AsyncClient, OutcomeUnknown

logger = logging.getLogger(__name__)

DEFAULT_SECONDS = 3600
_OLDEST = 24 * 3600.0
_JITTER = 10.0
#: Seconds between attempts to replace a token while that fails.
_RETRY = 60.0
#: A server that gives tokens of no life must not be asked without pause.
_SOONEST = 1.0


@dataclass(frozen=True, order=True)
class Wanted:
    """A token as a volume asks for it. `audience` is empty for the API server's own."""

    audience: str
    seconds: int


class TokenError(Exception):
    """No token could be had; the text is for the pod's events."""


@dataclass
class _Held:
    token: str
    ends: float
    replace_at: float


def replace_at(ends: float, seconds: int, chance: float) -> float:
    """When a token that ends at `ends` and was asked for `seconds` is to be replaced. `chance` is in [0, 1)."""
    issued = ends - seconds
    return min(issued + _OLDEST, ends - seconds * 0.2) - chance * _JITTER


class PodTokens:
    """`on_due(uid)` is called when one of a pod's tokens is to be replaced. `clock` is seconds since the epoch."""

    def __init__(
        self, client: AsyncClient, on_due: Callable[[str], None], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._on_due = on_due
        self._clock = clock
        self._held: dict[str, dict[Wanted, _Held]] = {}
        #: Why the last request for a token was refused.
        self._refused: dict[str, dict[Wanted, str]] = {}
        self._asking: dict[tuple[str, Wanted], asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def use(self, pod: Object, wanted: Collection[Wanted], timeout: float = 10.0) -> None:
        """Ask for each token that the pod wants and has not, or that is to be replaced.

        Raises TimeoutError when no API server answers and a token is missing. What is refused, `get` tells.
        """
        asked = [self._ask(pod, each, timeout) for each in wanted if self._is_due(uid(pod), each)]
        if not asked:
            return
        try:
            await asyncio.gather(*map(asyncio.shield, asked))
        finally:
            self._set_timer(uid(pod), again=len(self._held.get(uid(pod), {})) < len(wanted))

    def get(self, pod_uid: str, wanted: Wanted) -> str:
        """A pod's token, after `use`. Raises TokenError."""
        held = self._held.get(pod_uid, {}).get(wanted)
        if held is None or self._clock() >= held.ends:
            why = self._refused.get(pod_uid, {}).get(wanted) or "it has not been asked for"
            raise TokenError(f"failed to fetch token: {why}")
        return held.token

    def release(self, pod_uid: str) -> None:
        """The pod needs no tokens any more."""
        self._held.pop(pod_uid, None)
        self._refused.pop(pod_uid, None)
        timer = self._timers.pop(pod_uid, None)
        if timer is not None:
            timer.cancel()

    async def stop(self) -> None:
        """Ask for no more."""
        for pod_uid in list(self._timers):
            self.release(pod_uid)
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_due(self, pod_uid: str, wanted: Wanted) -> bool:
        held = self._held.get(pod_uid, {}).get(wanted)
        return held is None or self._clock() >= held.replace_at

    def _ask(self, pod: Object, wanted: Wanted, timeout: float) -> asyncio.Task[None]:
        """The request that is under way, or a new one."""
        key = (uid(pod), wanted)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._fetch(pod, wanted, timeout), name=f"token {key[0]}")
            task.add_done_callback(lambda _: self._asking.pop(key, None))
            # Who waits sees the failure; nobody may wait, as when the pod is deleted meanwhile.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _fetch(self, pod: Object, wanted: Wanted, timeout: float) -> None:
        account = pod["spec"].get("serviceAccountName") or ""
        bound = {"kind": "Pod", "apiVersion": "v1", "name": name(pod), "uid": uid(pod)}
        request: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [wanted.audience] if wanted.audience else [],
                "expirationSeconds": wanted.seconds,
                "boundObjectRef": bound,
            },
        }
        tokens = self._held.setdefault(uid(pod), {})
        refused = self._refused.setdefault(uid(pod), {})
        try:
            made = await self._client.create(
                "serviceaccounts", request, namespace(pod), subresource="token", name=account, timeout=timeout
            )
            spec, status = made["spec"], made["status"]
            ends = parse_time(status["expirationTimestamp"]).timestamp()
        except (StatusError, KeyError, ValueError) as error:
            held = tokens.get(wanted)
            if held is not None and self._clock() < held.ends:
                logger.warning("going on with an old token of %s/%s: %s", namespace(pod), name(pod), error)
                held.replace_at = self._clock() + _RETRY
            elif isinstance(error, ApiUnavailable | OutcomeUnknown):
                raise TimeoutError(f"failed to fetch token: {error}") from error
            else:
                refused[wanted] = str(error)
            return
        # The server may have shortened its life.
        seconds = spec.get("expirationSeconds") or wanted.seconds
        tokens[wanted] = _Held(status["token"], ends, replace_at(ends, seconds, random.random()))
        refused.pop(wanted, None)

    def _set_timer(self, pod_uid: str, *, again: bool) -> None:
        """Tell when the next token is due; `again`: one is missing."""
        timer = self._timers.pop(pod_uid, None)
        if timer is not None:
            timer.cancel()
        held = self._held.get(pod_uid)
        if held is None:
            return  # released meanwhile
        due = [each.replace_at - self._clock() for each in held.values()]
        if again:
            due.append(_RETRY)
        loop = asyncio.get_running_loop()
        self._timers[pod_uid] = loop.call_later(max(min(due), _SOONEST), self._due, pod_uid)

    def _due(self, pod_uid: str) -> None:
        self._timers.pop(pod_uid, None)
        self._on_due(pod_uid)
