"""The service proxy: Services and EndpointSlices → one desired table → the difference, written to the kernel."""
