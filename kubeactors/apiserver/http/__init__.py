"""The HTTPS front: Kubernetes' URLs, headers and media types on one side, `ApiHandler` on the other."""
