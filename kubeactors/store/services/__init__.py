"""The gRPC services of a member: etcd's, and the session stream."""
