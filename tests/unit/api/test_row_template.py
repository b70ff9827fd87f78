"""Rows made before the time is known are the rows that are made when it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from kubeactors.api.duration import Marks, TimeNeeded, since, until
from kubeactors.api.kinds import Kind, registry
from kubeactors.api.meta import now_rfc3339
from kubeactors.api.row_template import Ages, row_template
from kubeactors.api.table import make_row

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
AFTER = [timedelta(seconds=s) for s in (-5, 0, 1, 119, 601, 86400 * 3, 86400 * 365 * 9)]


def _meta(**more: Any) -> dict[str, Any]:
    return {"name": "a|b", "namespace": "ns", "creationTimestamp": now_rfc3339(CREATED), **more}


def _pod(finished: datetime | None = None, phase: str = "Running") -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "ready": True, "restartCount": 2, "state": {"running": {}}}
    if finished is not None:
        container["lastState"] = {"terminated": {"finishedAt": now_rfc3339(finished)}}
    status = {"phase": phase, "containerStatuses": [container], "podIPs": [{"ip": "10.0.0.1"}]}
    return {"metadata": _meta(), "spec": {"containers": [{"name": "c"}], "nodeName": "n"}, "status": status}


OBJECTS = [
    ("pods", _pod()),
    ("pods", _pod(CREATED + timedelta(hours=1))),
    ("pods", _pod(phase="Succeeded")),
    ("nodes", {"metadata": _meta(), "status": {}}),
    (
        "events",
        {"metadata": _meta(), "lastTimestamp": now_rfc3339(CREATED), "message": "<quoted> \u2028 |", "count": 3},
    ),
    ("configmaps", {"metadata": _meta(), "data": {"k": "v"}}),
    ("configmaps", {"metadata": {"name": "without a time"}}),
    ("jobs", {"metadata": _meta(), "spec": {}, "status": {}}),
]


@pytest.mark.parametrize(("resource", "obj"), OBJECTS)
def test_a_template_shows_what_a_row_shows(resource: str, obj: dict[str, Any]) -> None:
    kind: Kind = registry.lookup(resource)
    template = row_template(kind, obj)
    assert template is not None
    for passed in AFTER:
        now = CREATED + passed
        row = make_row(kind, obj, now, include_object="None")
        assert b"".join(template.render(Ages(now))) + b"null}" == orjson.dumps(row)


def test_cells_that_compute_with_the_time_have_no_template() -> None:
    running = {"metadata": _meta(), "spec": {}, "status": {"startTime": now_rfc3339(CREATED)}}
    assert row_template(registry.lookup("jobs"), running) is None


def test_a_present_that_is_not_known_yet_cannot_be_computed_with() -> None:
    unknown = Marks.now_unknown()
    assert since(None, unknown) == "<unknown>"
    assert since("2026-01-01T00:00:00Z", unknown) != until("2026-01-01T00:00:00Z", unknown)
    for compute in (
        lambda: unknown - CREATED,
        lambda: CREATED - unknown,
        lambda: unknown < CREATED,
        lambda: unknown.timestamp(),
    ):
        with pytest.raises(TimeNeeded):
            compute()
