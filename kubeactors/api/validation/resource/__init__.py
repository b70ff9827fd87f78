"""Validation of the kinds of resource.k8s.io (dynamic resource allocation, KEP-4381)."""
