"""The gRPC service that the API server calls."""
