"""Certificates of the cluster: authorities, the identities they sign, and kubeconfig files.

The layout is kubeadm's (https://kubernetes.io/docs/setup/best-practices/certificates/) under `/etc/kubeactors/pki`.
"""
