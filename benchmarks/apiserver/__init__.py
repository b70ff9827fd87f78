"""What the API server costs and how fast it is, beside Kubernetes' own. See `python -m benchmarks.apiserver --help`."""
