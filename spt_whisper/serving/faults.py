"""Errors as OpenAI's clients know them: `{"error": {"message", "type", "param", "code"}}`, one line, no traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

logger = logging.getLogger(__name__)


class ErrorFields(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorFields


class Fault(HTTPException):
    """Ends a request with an error."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Takes the status, one line for a person, a code for a program, the parameter at fault, and further headers."""
        super().__init__(status, message, headers)
        self.code, self.param = code, param


def fault_response(error: HTTPException) -> JSONResponse:
    """Returns the answer for an error."""
    status = HTTPStatus(error.status_code)
    fields = ErrorFields(
        message=_sendable(" ".join(str(error.detail).split())),
        type="invalid_request_error"
        if status < HTTPStatus.INTERNAL_SERVER_ERROR
        else "server_error",
        param=getattr(error, "param", None),
        code=getattr(error, "code", None) or status.name.lower(),
    )
    content = ErrorAnswer(error=fields).model_dump()
    return JSONResponse(content, error.status_code, headers=error.headers)


def _sendable(message: str) -> str:
    """A client's name for a file may hold halves of characters, which no answer can."""
    return message.encode("utf-8", "backslashreplace").decode()


def handle_faults(app: FastAPI) -> None:
    """Gives every error of an app this shape: ours, the router's, wrong parameters, and what nobody expected."""

    @app.exception_handler(HTTPException)
    async def known(_: Request, error: HTTPException) -> JSONResponse:
        return fault_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        param = str(first["loc"][1]) if len(first["loc"]) > 1 else None
        message = f"{param or 'request'}: {first['msg']}"
        return fault_response(Fault(HTTPStatus.BAD_REQUEST, message, "invalid_value", param))

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        return fault_response(Fault(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"))
