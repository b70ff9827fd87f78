"""The API server's metrics, under the names and with the labels that Kubernetes' dashboards and alerts use.

See https://kubernetes.io/docs/reference/instrumentation/metrics/. `families` holds numbers and writes them as text;
`requests`, `store` and `caches` say what is counted.
"""

from kubeactors.apiserver.metrics.requests import CONTENT_TYPE, Metrics, request_key

__all__ = ["CONTENT_TYPE", "Metrics", "request_key"]
