"""A call that the agent does not serve."""

import grpc


class Refusal(Exception):
    """The call cannot be served; code and kubelet's words."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
