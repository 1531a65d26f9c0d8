"""Contrastive Explorer: `python app.py`, or as a Hugging Face Space."""

from __future__ import annotations

import argparse
import os
import sys
import threading

# Before torch and Gradio are loaded. Waiting threads must not spin: two cores serve pages and compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import cl_core.zero_gpu  # noqa: F401, I001  before torch, where GPUs are lent

import torch

from cl_core.errors import UserError
from cl_core.host import cores
from cl_core.ui import library
from cl_core.ui.build import build_app, launch_options


def main() -> int:
    """Open the app; returns the exit code."""
    parser = argparse.ArgumentParser(description="Open Contrastive Explorer in the browser.")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    arguments = parser.parse_args()
    try:
        app = build_app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Half the cores each for the visitor's request and for what is opened in the background: threads
    # that wait for one another across two busy computations are many times slower than one alone.
    torch.set_num_threads(max(1, cores() // 2))
    threading.Thread(target=library.warm_up, daemon=True).start()
    try:
        app.launch(server_name=arguments.host, server_port=arguments.port, **launch_options())
    except OSError:
        print(f"error: port {arguments.port} is taken; choose another one with --port.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
