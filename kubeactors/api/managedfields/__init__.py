"""Server-side apply and metadata.managedFields: who owns which fields of an object (KEP-555).

`Tracker` is what the API server calls; the rest is structured merge: sets of fields (`fieldset`), types (`atoms`),
`compare`, `merge`, and what an update or an apply does with them (`updater`).
"""

from kubeactors.api.managedfields.managers import differ_in_time_only
from kubeactors.api.managedfields.tracker import Tracker, described, name_of
from kubeactors.api.managedfields.trackers import Trackers, empty_object
from kubeactors.api.managedfields.updater import OneVersion, ResetFields, Updater, Versions

__all__ = [
    "OneVersion",
    "ResetFields",
    "Tracker",
    "Trackers",
    "Updater",
    "Versions",
    "described",
    "differ_in_time_only",
    "empty_object",
    "name_of",
]
