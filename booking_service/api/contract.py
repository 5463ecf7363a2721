"""Reading requests strictly, and describing the API from the same models (OpenAPI 3.1)."""

from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from flask import Request, Response
from pydantic import BaseModel, ValidationError
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData
from spectree.plugins.base import Context
from spectree.plugins.flask_plugin import FlaskPlugin
from werkzeug.exceptions import UnsupportedMediaType

from booking_service.api.answers import Problem
from booking_service.errors import BookingServiceError, FieldError, Invalid

ModelT = TypeVar("ModelT", bound=BaseModel)

_PROBLEM_TYPE: Final = "application/problem+json"
# Enough to mend a request by; a body of ten thousand wrong fields is not a mistake.
_MOST_ERRORS: Final = 20
_LONGEST_FIELD: Final = 100
# Our codes and words for pydantic's kinds of errors, by how their names begin. None keeps
# pydantic's words, which name the limit or the choices.
_WORDS: Final[Mapping[str, tuple[str, str | None]]] = {
    "missing": ("missing", "Add this field."),
    "extra_forbidden": ("unknown_field", "Leave this field out; it is not known here."),
    "timezone_aware": ("no_offset", "Add the offset from UTC, like 2026-11-23T14:20:00+00:00."),
    "datetime": ("not_an_instant", "Give an instant like 2026-11-23T14:20:00+00:00."),
    "date": ("not_a_date", "Give a date like 2026-11-23."),
    "uuid": ("not_an_id", "Give an id as another call answered it."),
    "int": ("not_a_whole_number", "Give a whole number."),
    "bool": ("not_true_or_false", "Give true or false."),
    "string_too_long": ("too_long", None),
    "string_too_short": ("too_short", None),
    "string_pattern": ("wrong_form", None),
    "string": ("not_a_text", "Give a text."),
    "greater_than": ("out_of_range", None),
    "less_than": ("out_of_range", None),
    "enum": ("unknown_choice", None),
    "model": ("not_an_object", "Give an object with fields."),
}


class InvalidJson(BookingServiceError):
    """The body is not JSON."""

    code = "invalid_json"
    status = HTTPStatus.BAD_REQUEST


class _Strict(FlaskPlugin):
    """Hands requests to our readers; answers are made by the views and sent as they are."""

    def request_validation(self, request: Request, query: Any, json: Any, *_: object) -> None:  # noqa: ANN401  # model classes
        request.context = Context(  # type: ignore[attr-defined]  # spectree reads it from there
            _read_query(query, request) if query else None,
            _read_body(json, request) if json else None,
            None,
            None,
            None,
        )

    def validate_response(self, resp: Response, *_: object) -> tuple[Response, None]:
        return resp, None

    def get_func_operation_id(self, func: Callable[..., object], *_: object, **__: object) -> str:
        return str(func.__name__)


spec: Final = SpecTree(
    backend=_Strict,
    mode="strict",
    title="First Visit",
    version="1",
    description=(
        "Book a first visit, run the front desk, and see every refund. Amounts are integer cents; "
        "instants are RFC 3339 with an offset; ids are opaque."
    ),
    naming_strategy=lambda model: str(model.__name__),
    nested_naming_strategy=lambda _parent, child: child,
    validation_error_model=Problem,
    security_schemes=[
        SecurityScheme(
            name="token",
            data=SecuritySchemeData(
                type=SecureType.HTTP,
                scheme="bearer",
                description="A token made with `booking token create`, with the scope named.",
            ),
        )
    ],
)


@cache
def openapi() -> dict[str, Any]:
    """Return the description of the API, from the routes and models that answer it."""
    document = cast("dict[str, Any]", spec.spec)
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= HTTPStatus.BAD_REQUEST and "content" in response:
                    content = response["content"]
                    content[_PROBLEM_TYPE] = content.pop("application/json")
    return document


def reply(answer: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Send a model as JSON."""
    return Response(answer.model_dump_json(), status, mimetype="application/json")


def _read_body(model: type[ModelT], request: Request) -> ModelT:
    needs_none = not any(field.is_required() for field in model.model_fields.values())
    if needs_none and not request.get_data():
        return model()
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        raise _refusal(error) from error


def _read_query(model: type[ModelT], request: Request) -> ModelT:
    given = {name: values for name, values in request.args.lists() if values != [""]}
    repeated = [name for name, values in given.items() if len(values) > 1]
    if repeated:
        raise Invalid(*(FieldError(name, "repeated", "Give this once.") for name in repeated))
    try:
        return model.model_validate_strings({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> BookingServiceError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return InvalidJson(f"Send JSON. {found[0]['msg']}.")
    return Invalid(
        *(
            FieldError(_field(one["loc"]), *_words(one["type"], one["msg"]))
            for one in found[:_MOST_ERRORS]
        )
    )


def _field(path: tuple[int | str, ...]) -> str:
    return ".".join(map(str, path))[:_LONGEST_FIELD] or "body"


def _words(kind: str, message: str) -> tuple[str, str]:
    for beginning, (code, detail) in _WORDS.items():
        if kind.startswith(beginning):
            return code, detail or f"{message}."
    return kind, message  # one of our own kinds
