"""SPDY/3.1 as Kubernetes' clients speak it after an HTTP upgrade (github.com/moby/spdystream): the server's side."""
