"""Validation of certificates.k8s.io: signing requests, trust bundles, pods' certificates."""
