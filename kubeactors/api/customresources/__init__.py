"""Custom resources: what a CustomResourceDefinition says about the objects of its kind, as pure functions.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/.
"""
