"""The gRPC front: protos/kubeactors/api/v1 on one side, `ApiHandler` on the other."""
