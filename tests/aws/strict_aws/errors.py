"""The one error that AWS calls end with, and how each protocol writes it."""

import json
from uuid import uuid4
from xml.sax.saxutils import escape

from .httpd import Reply


class AwsError(Exception):
    """An answer that AWS gives instead of a result: wire code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def render(error: AwsError, json_protocol: bool) -> Reply:
    request_id = str(uuid4())
    if json_protocol:
        body = json.dumps({"__type": error.code, "message": error.message})
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": error.code,
        }
    else:
        fault = "Sender" if error.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(error.code)}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        headers = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
    return Reply(error.status, headers, body.encode())
