from kubeactors.api.errors import AlreadyExists as AlreadyExists
from kubeactors.api.errors import Conflict as Conflict
from kubeactors.api.errors import Expired as Expired
from kubeactors.api.errors import Forbidden as Forbidden
from kubeactors.api.errors import Invalid as Invalid
from kubeactors.api.errors import NotFound as NotFound
from kubeactors.api.errors import StatusError as StatusError
from kubeactors.api.errors import Unauthorized as Unauthorized
from kubeactors.api.kinds import UnknownKindError as UnknownKindError
from kubeactors.client.async_client import AsyncClient as AsyncClient
from kubeactors.client.copying import CopyFailed as CopyFailed
from kubeactors.client.errors import ApiUnavailable as ApiUnavailable
from kubeactors.client.errors import OutcomeUnknown as OutcomeUnknown
from kubeactors.client.errors import WaitFailed as WaitFailed
from kubeactors.client.errors import WaitTimeout as WaitTimeout
from kubeactors.client.kubeconfig import KubeconfigError as KubeconfigError
from kubeactors.client.manifests import ManifestError as ManifestError
from kubeactors.client.manifests import load_manifests as load_manifests
from kubeactors.client.manifests import parse_manifests as parse_manifests
from kubeactors.client.resource import Resource as Resource
from kubeactors.client.results import Object as Object
from kubeactors.client.results import ObjectList as ObjectList
from kubeactors.client.results import WatchEvent as WatchEvent
from kubeactors.client.sync_client import Client as Client
from kubeactors.client.tls import TlsConfig as TlsConfig
from kubeactors.operators.context import AsyncContext as AsyncContext
from kubeactors.operators.context import Context as Context
from kubeactors.operators.context import PermanentError as PermanentError
from kubeactors.operators.controller import Controller as Controller
from kubeactors.operators.controller import controller as controller
from kubeactors.operators.operator import Operator as Operator

__all__ = [
    "AlreadyExists",
    "ApiUnavailable",
    "AsyncClient",
    "AsyncContext",
    "Client",
    "Conflict",
    "Context",
    "Controller",
    "CopyFailed",
    "Expired",
    "Forbidden",
    "Invalid",
    "KubeconfigError",
    "ManifestError",
    "NotFound",
    "Object",
    "ObjectList",
    "Operator",
    "OutcomeUnknown",
    "PermanentError",
    "Resource",
    "StatusError",
    "TlsConfig",
    "Unauthorized",
    "UnknownKindError",
    "WaitFailed",
    "WaitTimeout",
    "WatchEvent",
    "controller",
    "load_manifests",
    "parse_manifests",
]
