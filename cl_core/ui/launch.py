"""Start the app: options of the command line and of the environment, then serve until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

import torch
from pydantic import ValidationError

from cl_core.cli.options import add_gallery, program
from cl_core.errors import EXIT_USER_ERROR, UserError, from_validation, quoted
from cl_core.explore.model_store import ModelStore
from cl_core.explore.postgres_index import check_address
from cl_core.system.host import cores, limit_malloc_arenas
from cl_core.text import text
from cl_core.ui.access import Access, Options
from cl_core.ui.build import build_app, launch_options
from cl_core.ui.server import Server
from cl_core.ui.uploads import Workspace
from cl_core.words.explore import WordStore


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the app; each has an environment variable beside it."""
    fields, env = Options.model_fields, os.environ
    parser.add_argument("--host", default=env.get("GRADIO_SERVER_NAME", "127.0.0.1"), help=fields["host"].description)
    parser.add_argument("--port", type=int, default=env.get("GRADIO_SERVER_PORT", "7860"), help="default: 7860")
    parser.add_argument("--auth", action="append", metavar="NAME:PASSWORD", help="ask visitors to log in (CL_AUTH)")
    parser.add_argument("--read-only", action="store_true", help=f"{fields['read_only'].description} (CL_READ_ONLY)")
    parser.add_argument("--shared", action="store_true", help=f"{fields['shared'].description} (CL_SHARED)")
    parser.add_argument("--upload-mb", metavar="MB", help=f"{fields['upload_mb'].description} (CL_UPLOAD_MB)")
    parser.add_argument("--most-images", metavar="N", help=f"{fields['most_images'].description} (CL_MOST_IMAGES)")
    parser.add_argument("--keep-hours", metavar="HOURS", help=f"{fields['keep_hours'].description} (CL_KEEP_HOURS)")
    parser.add_argument("--allow-host", action="append", metavar="NAME", help=f"{fields['hosts'].description} (CL_HOSTS)")
    add_gallery(parser)


def serve(options: argparse.Namespace) -> int:
    """Serve the app until Ctrl-C or SIGTERM; returns the exit code."""
    env = os.environ
    limit_malloc_arenas()
    try:
        _check_host(options.host)
        access = Access(
            Options(
                host=options.host,
                auth=options.auth or env.get("CL_AUTH", ""),
                read_only=options.read_only or env.get("CL_READ_ONLY", "0"),
                shared=options.shared or env.get("CL_SHARED", "0"),
                hosts=options.allow_host or env.get("CL_HOSTS", ""),
                upload_mb=options.upload_mb or env.get("CL_UPLOAD_MB", "0"),
                most_images=options.most_images or env.get("CL_MOST_IMAGES", "0"),
                keep_hours=options.keep_hours or env.get("CL_KEEP_HOURS", "24"),
            )
        )
        if options.gallery:
            check_address(options.gallery)
        workspace = Workspace()
        env["GRADIO_TEMP_DIR"] = str(workspace.uploads)
        store, words = ModelStore(options.gallery), WordStore()
        app = build_app(access, store, words)
    except (UserError, ValidationError, OSError) as error:
        reason = from_validation(error) if isinstance(error, ValidationError) else error
        print(f"error: {reason}", file=sys.stderr)
        return EXIT_USER_ERROR
    # Half of the cores for a visitor's request, half for what loads in the background: threads that wait for one
    # another across two busy computations are many times slower than one alone.
    torch.set_num_threads(max(1, cores() // 2))
    if env.get("CL_WARM_UP", "1") != "0":
        threading.Thread(target=_warm_up, args=(store, words), daemon=True).start()
    server, ended = Server(access), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())  # before the launch, which answers calls before it returns
    try:
        app.launch(server_name=options.host, server_port=options.port, prevent_thread_lock=True, **launch_options(server))
        server.run(ended)
    except OSError:
        print(f"error: {text('app.cannot_listen', host=options.host, port=options.port)}", file=sys.stderr)
        return EXIT_USER_ERROR
    finally:
        workspace.close()
    return 0


def _check_host(host: str) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):  # the latter for a part of more than 63 characters
        raise UserError("app.unknown_host", host=quoted(host)) from None


def _warm_up(store: ModelStore, words: WordStore) -> None:
    store.warm_up()
    for name in words.names:
        with contextlib.suppress(UserError):  # raised again for the visitor who opens it
            _ = words.get(name).clusters


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the options and serve; ends the process, for threads that load models in the background cannot be interrupted."""
    parser = argparse.ArgumentParser(
        prog=f"{program()} app", description="Serve Contrastive Explorer; a browser opens the address that is printed."
    )
    add_options(parser)
    code = serve(parser.parse_args(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
