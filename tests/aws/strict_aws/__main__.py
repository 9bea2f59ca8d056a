"""`python -m strict_aws --port 0 --port-file F`"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from .app import App
from .httpd import Server
from .world import World

SMALL_PAGE = 2


def main() -> None:
    arguments = _arguments()
    world = World()
    if arguments.small_pages:
        world.options.page_size = SMALL_PAGE
    server = Server(arguments.port, App(world).answer)
    _end_with(server, signal.SIGTERM, signal.SIGINT)
    if arguments.exit_with_stdin:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    if arguments.port_file:
        _announce(arguments.port_file, server.server_address[1])
    server.serve_forever(poll_interval=0.1)
    server.server_close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="strict_aws", description="moto, with what real AWS refuses; on 127.0.0.1 only"
    )
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once the server listens")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when stdin closes")
    parser.add_argument("--small-pages", action="store_true", help=f"IAM lists have {SMALL_PAGE} items a page")
    return parser.parse_args()


def _end_with(server: Server, *signals: signal.Signals) -> None:
    for number in signals:
        # `shutdown` waits for the loop to end, and the handler runs inside of that loop.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())


def _end_with_stdin(server: Server) -> None:
    # Unbuffered: a thread that waits inside of a buffered stdin aborts the interpreter's orderly end.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.shutdown()


def _announce(path: Path, port: int) -> None:
    # Renamed into place, so that who waits for the file never reads half of it.
    part = path.with_name(f"{path.name}.part")
    part.write_text(f"{port}\n")
    part.replace(path)


if __name__ == "__main__":
    main()
