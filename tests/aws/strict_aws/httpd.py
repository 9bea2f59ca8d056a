"""A threaded HTTP/1.1 server with keep-alive that can also cut a connection, as a network does."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class ConnectionCut(Exception):
    """No answer: the connection is reset instead."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one segment; otherwise delayed acknowledgements cost 40 ms a call.
    disable_nagle_algorithm = True
    wbufsize = -1

    server: "Server"

    def handle_call(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, url.path, url.query, headers, self.rfile.read(length))
        try:
            reply = self.server.answer(request)
        except ConnectionCut:
            self._reset()
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    do_GET = do_POST = do_DELETE = handle_call

    def _reset(self) -> None:
        # Linger of zero makes close() send RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Calls are counted and logged by the journal, not on stderr."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, answer: Callable[[Request], Reply]):
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        # `socketserver` shuts down before it closes, which would turn a reset into an orderly end.
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 0):
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to report."""
