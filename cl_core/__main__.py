"""The program `contrastive-explorer`, or `python -m cl_core`: serves the app, or runs a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

APP = "app"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the app where there is no command, else run the command.

    Args:
        arguments: those after the program's name; by default `sys.argv[1:]`.

    Returns:
        The exit code: 0 for success, 2 for an error of the user, 130 for a stop by Ctrl-C.
    """
    # Before torch is imported: threads that spin while they wait are slow on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == [APP]:
        return _open_app(given[1:])
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        return _open_app(given)
    from cl_core.cli.main import main as run

    return run(given)


def _open_app(options: list[str]) -> int:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import cl_core.system.zero_gpu  # noqa: F401  before torch, on Spaces that lend GPUs
    from cl_core.ui.launch import main as open_app

    return open_app(options)


if __name__ == "__main__":
    sys.exit(main())
