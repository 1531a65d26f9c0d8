"""Contrastive Explorer: `python app.py`, or as a Hugging Face Space."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

# Before torch and Gradio are loaded. Waiting threads must not spin: two cores serve pages and compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import cl_core.system.zero_gpu  # noqa: F401, I001  before torch, where GPUs are lent

import torch
from pydantic import ValidationError

from cl_core.errors import UserError, from_validation
from cl_core.system.host import cores, keep_memory_together
from cl_core.ui import model_store as library
from cl_core.ui.access import Access, Options
from cl_core.ui.build import build_app, launch_options
from cl_core.ui.server import Server
from cl_core.ui.uploads import Workspace


def main() -> int:
    """Open the app; returns the exit code."""
    parser = argparse.ArgumentParser(description="Open Contrastive Explorer in the browser.")
    keep_memory_together()
    listen, env = Options.model_fields, os.environ
    parser.add_argument("--host", default=env.get("GRADIO_SERVER_NAME", "127.0.0.1"), help=listen["host"].description)
    parser.add_argument("--port", type=int, default=int(env.get("GRADIO_SERVER_PORT", "7860")))
    parser.add_argument("--auth", action="append", metavar="NAME:PASSWORD", help="ask visitors to log in (CL_AUTH)")
    parser.add_argument("--read-only", action="store_true", help=f"{listen['read_only'].description} (CL_READ_ONLY)")
    parser.add_argument("--shared", action="store_true", help=f"{listen['shared'].description} (CL_SHARED)")
    parser.add_argument("--allow-host", action="append", metavar="NAME", help=f"{listen['hosts'].description} (CL_HOSTS)")
    asked = parser.parse_args()
    try:
        access = Access(
            Options(
                host=asked.host,
                auth=asked.auth or env.get("CL_AUTH", ""),
                read_only=asked.read_only or env.get("CL_READ_ONLY", "0"),
                shared=asked.shared or env.get("CL_SHARED", "0"),
                hosts=asked.allow_host or env.get("CL_HOSTS", ""),
            )
        )
        workspace = Workspace()
        os.environ["GRADIO_TEMP_DIR"] = str(workspace.uploads)
        app = build_app(access)
    except (UserError, ValidationError, OSError) as error:
        said = from_validation(error) if isinstance(error, ValidationError) else error
        print(f"error: {said}", file=sys.stderr)
        return 2
    # Half the cores each for the visitor's request and for what is opened in the background: threads
    # that wait for one another across two busy computations are many times slower than one alone.
    torch.set_num_threads(max(1, cores() // 2))
    threading.Thread(target=library.warm_up, daemon=True).start()
    server, ended = Server(access), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())  # before the launch, which answers calls before it returns
    try:
        app.launch(server_name=asked.host, server_port=asked.port, prevent_thread_lock=True, **launch_options(server))
        server.run(ended)
    except OSError:
        print(f"error: port {asked.port} is taken; choose another one with --port.", file=sys.stderr)
        return 2
    finally:
        workspace.close()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # what is opened in the background cannot be interrupted, and Python's own end aborts in the middle of it
