"""The verbs: what a request does to the objects of a resource."""
