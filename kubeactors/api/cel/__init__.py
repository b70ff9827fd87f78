"""The Common Expression Language as Kubernetes uses it.

The language: https://github.com/google/cel-spec/blob/master/doc/langdef.md; what Kubernetes adds to it and how it
bounds it: https://kubernetes.io/docs/reference/using-api/cel/. An `Environment` (variables, types, libraries) compiles
a text into a `Program`: it is parsed, checked against the declared types, its highest cost is estimated, and it becomes
Python closures. Messages are those of Kubernetes, as users search for them.
"""
