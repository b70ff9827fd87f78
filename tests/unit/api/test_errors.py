"""Statuses: wording, details, causes."""

import pickle

import pytest

from kubeactors.api import errors, fielderrors
from kubeactors.api.errors import StatusError


def test_not_found_names_resource_and_group() -> None:
    error = errors.not_found("deployments.apps", "x")
    assert error.status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "x" not found',
        "reason": "NotFound",
        "details": {"name": "x", "group": "apps", "kind": "deployments"},
        "code": 404,
    }
    assert (error.code, error.reason, str(error)) == (404, "NotFound", 'deployments.apps "x" not found')


def test_one_cause_stands_alone_and_several_in_brackets() -> None:
    one = errors.invalid("Pod", "p", [fielderrors.required("spec.containers")])
    assert one.message == 'Pod "p" is invalid: spec.containers: Required value'
    causes = [fielderrors.required("a"), fielderrors.invalid("b", -1, "must be positive"), fielderrors.required("a")]
    several = errors.invalid("Deployment.apps", "d", causes)
    assert several.message == (
        'Deployment.apps "d" is invalid: [a: Required value, b: Invalid value: -1: must be positive]'
    )
    assert len(several.causes) == 3, "causes are not made unique"
    assert several.causes[1] == {
        "reason": "FieldValueInvalid",
        "message": "Invalid value: -1: must be positive",
        "field": "b",
    }
    assert several.details["group"] == "apps"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (fielderrors.not_supported("f", "x", ("b", "a")), 'f: Unsupported value: "x": supported values: "b", "a"'),
        (fielderrors.not_supported("f", "x", {"b", "a"}), 'f: Unsupported value: "x": supported values: "a", "b"'),
        (fielderrors.duplicate("f", "x"), 'f: Duplicate value: "x"'),
        (fielderrors.forbidden("f", "no"), "f: Forbidden: no"),
        (fielderrors.not_found("f", "x"), 'f: Not found: "x"'),
        (fielderrors.too_long("f", 3), "f: Too long: may not be more than 3 bytes"),
        (fielderrors.too_many("f", 5, 1), "f: Too many: 5: must have at most 1 item"),
        (fielderrors.invalid("f", None, "m"), "f: Invalid value: null: m"),
        (fielderrors.invalid("f", True, "m"), "f: Invalid value: true: m"),
        (fielderrors.invalid("f", {"a": ["b"]}, "m"), 'f: Invalid value: {"a":["b"]}: m'),
    ],
)
def test_field_errors_in_words(error: fielderrors.FieldError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a", '"a"'),
        ('a"b', '"a\\"b"'),
        ("a\nb\\", '"a\\nb\\\\"'),
        ("\x01", '"\\x01"'),
        ("é", '"é"'),
        ("\u200b", '"\\u200b"'),
    ],
)
def test_strings_are_quoted_as_go_quotes(text: str, quoted: str) -> None:
    assert fielderrors.go_quote(text) == quoted


def test_conflict_forbidden_and_the_rest() -> None:
    assert errors.conflict("pods", "p").message == (
        'Operation cannot be fulfilled on pods "p": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert errors.forbidden("pods", "", "no").message == "pods is forbidden: no"
    assert errors.forbidden("", "", "no").message == "forbidden: no"
    assert errors.already_exists("pods", "p").code == 409
    assert errors.expired("old").reason == "Expired"
    assert errors.too_many_requests("slow", 3).retry_after_seconds == 3
    assert errors.method_not_allowed().status["details"] == {}
    assert "details" not in errors.bad_request("x").status
    assert "reason" not in errors.unknown("x").status
    assert errors.internal(RuntimeError("boom")).message == "Internal error occurred: boom"


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(errors.not_found("pods", "p")))
    assert isinstance(error, StatusError)
    assert error.reason == "NotFound"


def test_each_reason_has_its_class() -> None:
    made = {
        errors.NotFound: errors.not_found("pods", "a"),
        errors.AlreadyExists: errors.already_exists("pods", "a"),
        errors.Conflict: errors.conflict("pods", "a"),
        errors.Forbidden: errors.forbidden("pods", "a", "no"),
        errors.Unauthorized: errors.unauthorized(),
        errors.Invalid: errors.invalid("Pod", "a", [fielderrors.required("spec")]),
        errors.Expired: errors.expired("old"),
    }
    for kind, error in made.items():
        assert type(error) is kind and type(StatusError(error.status)) is kind
        assert type(pickle.loads(pickle.dumps(error))) is kind
    assert type(errors.gone("old")) is errors.Expired
    assert type(errors.bad_request("no")) is StatusError
    assert type(StatusError({"code": 404})) is errors.NotFound, "a proxy gives no reason"
    assert type(StatusError({"code": 409, "reason": "Elsewhere"})) is StatusError


def test_what_is_wrong_with_each_field() -> None:
    causes = [fielderrors.required("a"), fielderrors.invalid("b", -1, "must be positive"), fielderrors.required("a")]
    fields = errors.invalid("Pod", "p", causes).fields
    assert fields == {"a": "Required value; Required value", "b": "Invalid value: -1: must be positive"}
    assert errors.not_found("pods", "a").fields == {}
