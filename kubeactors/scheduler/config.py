"""Configuration of the scheduler. Times are in seconds; defaults follow kube-scheduler's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SchedulerConfig:
    identity: str = "kubeactors-scheduler"
    scheduler_name: str = "default-scheduler"
    leader_elect: bool = True
    lease_name: str = "kube-scheduler"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    initial_backoff: float = 1.0  # of a pod that could not be placed, doubled at each attempt
    max_backoff: float = 10.0
    unschedulable_timeout: float = 300.0  # such a pod is tried again after this even if nothing happened
    # Plugins by name, in the order in which they filter; "*" stands for the default ones, "-Name" leaves one out.
    plugins: tuple[str, ...] = ("*",)
    batch: int = 256  # pods placed before the loop lets others run
    bind_timeout: float = 30.0
    sync_timeout: float = 60.0
