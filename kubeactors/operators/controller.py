"""`@controller`: what a controller looks after, and the function that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeVar

from kubeactors.client.lister import Lister
from kubeactors.client.resource import ResourceLike
from kubeactors.client.results import Object
from kubeactors.operators.context import AsyncContext, Context

AsyncReconcile = Callable[[Object, AsyncContext], Awaitable[float | None]]
SyncReconcile = Callable[[Object, Context], float | None]
Reconcile = AsyncReconcile | SyncReconcile
Mapper = Callable[[Object, Lister], Iterable[Object | str]]
F = TypeVar("F", bound=Callable[..., Any])


class Controller:
    """A function and the objects for which it is called; `controller` makes one.

    Calling it calls the function, for tests. `run` makes a program of it, `Operator` one of several.
    """

    def __init__(
        self,
        kind: ResourceLike,
        reconcile: Reconcile,
        *,
        name: str,
        owns: Sequence[ResourceLike],
        watches: Mapping[str, Mapper],
        namespace: str | None,
        label_selector: str | None,
        field_selector: str | None,
        definition: Object | str | PathLike[str] | None,
        every: float | None,
        workers: int,
        max_delay: float,
        finalizer: str | None,
    ) -> None:
        if workers < 1:
            raise ValueError("a controller needs at least one worker")
        if every is not None and every <= 0:
            raise ValueError("every: seconds must be more than 0")
        self.kind = kind
        self.name = name
        self.reconcile = reconcile
        self.delete: Reconcile | None = None
        self.owns = tuple(owns)
        self.watches = dict(watches)
        self.namespace = namespace
        self.label_selector = label_selector
        self.field_selector = field_selector
        self.definition = definition
        self.every = every
        self.workers = workers
        self.max_delay = max_delay
        self.finalizer = finalizer

    def __call__(self, obj: Object, context: Any) -> Any:
        return self.reconcile(obj, context)

    def on_delete(self, function: F) -> F:
        """A decorator: has `function` clean up before an object goes. It is called as the controller's function is,
        until it returns None; an exception, or seconds that it returns, have it called again.

        Objects get a finalizer for this (before the controller's function sees them), which keeps them until then.
        """
        self.delete = function
        return function

    def run(self, arguments: Sequence[str] | None = None) -> None:
        """Runs this controller as a program until it is interrupted or terminated: see `Operator.run`."""
        from kubeactors.operators.operator import Operator

        Operator(self).run(arguments)


def controller(
    kind: ResourceLike,
    *,
    owns: Sequence[ResourceLike] = (),
    watches: Mapping[str, Mapper] | None = None,
    namespace: str | None = None,
    label_selector: str | None = None,
    field_selector: str | None = None,
    definition: Object | str | PathLike[str] | None = None,
    every: float | None = None,
    workers: int = 4,
    max_delay: float = 300.0,
    name: str | None = None,
    finalizer: str | None = None,
) -> Callable[[Reconcile], Controller]:
    """Makes a controller of a function `reconcile(obj, ctx)` that makes one object of `kind` right.

    The function is told what is, not what happened. It is called for each object at the start, and again
    - when the object changes, but not for what it wrote itself through `ctx`;
    - when an object of a kind that it `owns` changes that belongs to the object;
    - when an object of a kind that it `watches` changes and the kind's function there (of the changed object and the
      lister of `kind`) returns the object or its key, "namespace/name";
    - after `every` seconds, or those that it returned;
    - when it has raised, after a delay that grows from 5 ms to `max_delay` seconds; after a `PermanentError` only when
      something changes.

    Several objects are handled at once, at most `workers`, but never one twice at once. `obj` is a copy of its own.
    Objects that are being deleted are given to `on_delete` alone. An `async def` function gets an `AsyncContext`; a
    plain one runs in a thread and gets a `Context`.

    `namespace` and the selectors bound which objects it sees. `definition` is a CustomResourceDefinition, or a file
    that holds one, which is applied at the start. `name` (the function's) is the field manager and the reporter of
    events; `finalizer` is by default made of it.
    """

    def decorate(function: Reconcile) -> Controller:
        return Controller(
            kind,
            function,
            name=name or getattr(function, "__name__", "controller").replace("_", "-"),
            owns=owns,
            watches=watches or {},
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            definition=definition,
            every=every,
            workers=workers,
            max_delay=max_delay,
            finalizer=finalizer,
        )

    return decorate
