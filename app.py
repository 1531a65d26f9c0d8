"""Contrastive Explorer: `python app.py`, or as a Hugging Face Space."""

from __future__ import annotations

import os

# Before torch and Gradio are loaded. Waiting threads must not spin: two cores serve pages and compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import cl_core.system.zero_gpu  # noqa: F401, I001  before torch, on Spaces that lend GPUs

from cl_core.ui.launch import main

if __name__ == "__main__":
    main()
