"""Addresses of files that the app serves."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

FILE_ROUTE = "/gradio_api/file="


def file_url(file: Path) -> str:
    """Address of a file, from the app's root."""
    return FILE_ROUTE + urllib.parse.quote(str(file))
