"""Operators: a function that makes one object right, run for every object of a kind whenever something changes."""

from kubeactors.operators.context import AsyncContext, Context, PermanentError
from kubeactors.operators.controller import Controller, controller
from kubeactors.operators.operator import Operator

__all__ = ["AsyncContext", "Context", "Controller", "Operator", "PermanentError", "controller"]
