"""What this server serves, as Kubernetes' discovery documents."""
