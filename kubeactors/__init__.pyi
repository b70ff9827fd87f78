from kubeactors.api.errors import StatusError as StatusError
from kubeactors.client.async_client import AsyncClient as AsyncClient
from kubeactors.client.errors import ApiUnavailable as ApiUnavailable
from kubeactors.client.errors import OutcomeUnknown as OutcomeUnknown
from kubeactors.client.errors import WaitTimeout as WaitTimeout
from kubeactors.client.sync_client import Client as Client
from kubeactors.client.tls import TlsConfig as TlsConfig

__all__ = ["ApiUnavailable", "AsyncClient", "Client", "OutcomeUnknown", "StatusError", "TlsConfig", "WaitTimeout"]
