"""The line at the foot of the page: the hardware, and what is disabled here."""

from __future__ import annotations

from cl_core.system.host import Host
from cl_core.text import text
from cl_core.ui.access import Access


def host_line(host: Host, access: Access) -> str:
    """As Markdown."""
    own = text("host.gpu", name=host.gpu) if host.gpu else text("host.no_gpu")
    gpu = text("host.lent") if host.zero_gpu else own
    memory = text("host.memory", gb=f"{host.memory_gb:.0f}") if host.memory_gb else ""
    parts = [text("host.runs_on", cores=host.cores, memory=memory, gpu=gpu)]
    if not host.gpu:
        parts.append(text("host.slow"))
    if access.options.read_only:
        parts.append(text("host.read_only"))
    elif access.strangers:
        parts.append(text("host.strangers"))
    if host.space:
        parts.append(text("host.space"))
    return " ".join(parts)
