"""exec probes: a command in the container that ends with 0 is healthy."""

from kubeactors.api.meta import Object
from nodeagent.probes.interface import Answer, Target
from nodeagent.runtime.interface import Runtime, RuntimeFailure


class Exec:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def probe(self, action: Object, target: Target, timeout: float) -> Answer:
        command = tuple(action.get("command") or ())
        try:
            result = await self._runtime.exec(target.container_id, command, timeout)
        except (RuntimeFailure, OSError) as error:
            return Answer("unknown", f"rpc error: {error}", is_error=True)
        if result.timed_out:
            return Answer("failure", f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s')
        if result.error:
            return Answer("failure", result.error)
        return Answer("success" if result.exit_code == 0 else "failure", result.output.decode(errors="replace"))
