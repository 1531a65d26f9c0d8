"""`project`: maps computed ahead."""

from __future__ import annotations

import argparse


def project(arguments: argparse.Namespace) -> int:
    from cl_core.data.registry import load_dataset
    from cl_core.explore.maps import compute_maps
    from cl_core.runs.store import load_run, untrained_like

    run = load_run(arguments.checkpoint)
    for each in (run, untrained_like(run)):
        for projector in compute_maps(each, load_dataset(run.record.config.dataset)):
            print(f"{each.name}: {projector} kept in {each.folder.path / 'projections'}")
    return 0
