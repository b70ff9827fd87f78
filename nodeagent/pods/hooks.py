"""Lifecycle hooks: postStart and preStop by exec, httpGet or sleep."""

import asyncio

from kubeactors.api.meta import Object
from nodeagent.probes.interface import Answer, Target
from nodeagent.probes.prober import Handlers
from nodeagent.runtime.interface import Runtime, RuntimeFailure


class HookFailure(Exception):
    """The hook did not succeed; the text is for the event."""


async def run_hook(handler: Object, target: Target, runtime: Runtime, handlers: Handlers, timeout: float) -> None:
    """Run one hook within `timeout` seconds. Raises HookFailure."""
    if handler.get("exec"):
        await _exec(handler["exec"], target, runtime, timeout)
    elif handler.get("httpGet"):
        # As with kubelet it is told, and what it answers is its own affair.
        answer = await handlers.http_get.ask(handler["httpGet"], target, timeout)
        if isinstance(answer, Answer):
            raise HookFailure(answer.output)
    elif handler.get("sleep"):
        await asyncio.sleep(min(float(handler["sleep"].get("seconds") or 0), timeout))
    else:
        raise HookFailure(f"invalid handler: {', '.join(sorted(handler)) or 'it is empty'}")


async def _exec(action: Object, target: Target, runtime: Runtime, timeout: float) -> None:
    command = tuple(action.get("command") or ())
    shown = "[" + ", ".join(command) + "]"
    try:
        result = await runtime.exec(target.container_id, command, timeout)
    except (RuntimeFailure, OSError) as error:
        raise HookFailure(f"Exec lifecycle hook ({shown}) failed - error: {error}") from error
    if result.timed_out:
        raise HookFailure(f"Exec lifecycle hook ({shown}) did not end within {timeout:g} s")
    if result.error or result.exit_code != 0:
        output = result.error or result.output.decode(errors="replace")
        error_text = f"command '{' '.join(command)}' exited with {result.exit_code}: {output}"
        raise HookFailure(f"Exec lifecycle hook ({shown}) failed - error: {error_text}, message: {output!r}")
