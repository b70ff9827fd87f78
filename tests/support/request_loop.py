"""A constant loop of HTTP requests, each on a connection of its own, that remembers each failure."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class RequestLoop:
    """Sends `rate` requests a second to one address from `workers` threads while its `with` block runs."""

    host: str
    port: int
    path: str = "/"
    rate: float = 40.0
    workers: int = 4
    timeout: float = 10.0
    served: list[tuple[float, str]] = field(default_factory=list)
    """When each answered request was sent, in seconds since the start, and its body."""
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> RequestLoop:
        self._ending = threading.Event()
        self._started = time.monotonic()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.workers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(self.timeout + 5)

    def assert_none_lost(self, at_least: int = 1) -> None:
        """That every request was answered with 200, and that there were `at_least` so many."""
        assert not self.failures, f"{len(self.failures)} of {self.sent} requests failed: {self.failures[:10]}"
        assert len(self.served) >= at_least, f"only {len(self.served)} requests were sent"

    @property
    def sent(self) -> int:
        """Requests that have ended."""
        return len(self.served) + len(self.failures)

    def wait_for(self, count: int, timeout: float = 30.0) -> None:
        """Until so many more requests have ended."""
        goal, deadline = self.sent + count, time.monotonic() + timeout
        while self.sent < goal:
            assert time.monotonic() < deadline, f"the loop stands still at {self.sent}: {self.failures[-5:]}"
            self._ending.wait(0.02)

    def _work(self) -> None:
        pause = self.workers / self.rate
        while not self._ending.wait(pause):
            sent = time.monotonic() - self._started
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            try:
                connection.request("GET", self.path)
                answer = connection.getresponse()
                body = answer.read().decode()
                if answer.status == 200:
                    self.served.append((sent, body))
                else:
                    self.failures.append(f"{sent:.2f} s: HTTP {answer.status}: {body[:100]}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{sent:.2f} s: {type(error).__name__}: {error}")
            finally:
                connection.close()
