"""Kubernetes' protobuf encoding of API objects (media type application/vnd.kubernetes.protobuf), for reading.

Generated Go clients, kubectl among them, send what they create in this form; they take JSON for an answer.
"""

from kubeactors.api.protobuf.decode import decode_object
from kubeactors.api.protobuf.wire import ProtobufError

__all__ = ["ProtobufError", "decode_object"]
