"""Admission: plugins that complete a write (admit) and then may refuse it (validate), in a fixed order."""

from kubeactors.apiserver.admission.chain import AdmissionChain, Attributes, Operation, Plugin

__all__ = ["AdmissionChain", "Attributes", "Operation", "Plugin"]
