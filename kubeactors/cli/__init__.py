"""The `kubeactors` command."""
