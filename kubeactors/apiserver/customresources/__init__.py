"""Custom resources: serving the kinds that CustomResourceDefinitions define, and keeping the definitions' status."""
