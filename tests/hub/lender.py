"""The part of ZeroGPU that stands outside a Space and lends GPUs, on loopback; the client is the `spaces` package itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Lender:
    """asked: what was asked of it, oldest first, as (path, parameters). A POST to /none-left takes its last GPU away."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.asked: list[tuple[str, dict[str, str]]] = []

    def parameters(self, path: str) -> list[dict[str, str]]:
        """Of every request to `path`."""
        return [given for asked, given in self.asked if asked == path]


@contextmanager
def lending() -> Iterator[Lender]:
    """A lender that has a GPU until it is told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            address = urlsplit(self.path)
            lender.asked.append((address.path, {key: value[0] for key, value in parse_qs(address.query).items()}))
            known = address.path in ("/startup-report", "/schedule", "/allow", "/release", "/none-left")
            none_left = bool(lender.parameters("/none-left"))
            lent = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
            body = json.dumps(lent if address.path == "/schedule" else {}).encode()
            self.send_response(404 if not known else 503 if none_left and address.path == "/schedule" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    lender = Lender(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield lender
    finally:
        server.shutdown()
        server.server_close()
