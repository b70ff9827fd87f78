"""The Python SDK: clients, informers, work queues, leader election and event recording."""

from kubeactors.client.async_client import AsyncClient
from kubeactors.client.command import CommandSession, Completed
from kubeactors.client.errors import ApiUnavailable, OutcomeUnknown, WaitTimeout
from kubeactors.client.event_recorder import EventRecorder
from kubeactors.client.informer import Informer
from kubeactors.client.informer_factory import InformerFactory
from kubeactors.client.kubeconfig import KubeconfigError
from kubeactors.client.leader_election import LeaderElector
from kubeactors.client.lister import Lister
from kubeactors.client.port_forward import PortForward
from kubeactors.client.resource import Resource
from kubeactors.client.results import Object, ObjectList, WatchEvent
from kubeactors.client.streams import Output
from kubeactors.client.sync_client import Client
from kubeactors.client.tls import TlsConfig
from kubeactors.client.work_queue import QueueShutDown, WorkQueue
from kubeactors.client.workers import run_workers

__all__ = [
    "ApiUnavailable",
    "AsyncClient",
    "Client",
    "CommandSession",
    "Completed",
    "EventRecorder",
    "Informer",
    "InformerFactory",
    "KubeconfigError",
    "LeaderElector",
    "Lister",
    "Object",
    "ObjectList",
    "OutcomeUnknown",
    "Output",
    "PortForward",
    "QueueShutDown",
    "Resource",
    "TlsConfig",
    "WaitTimeout",
    "WatchEvent",
    "WorkQueue",
    "run_workers",
]
