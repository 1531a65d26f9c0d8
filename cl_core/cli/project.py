"""`project`: compute maps in advance."""

from __future__ import annotations

import argparse

from cl_core.cli.options import Commands, add_checkpoint, add_command


def add_parser(commands: Commands) -> None:
    description = "Compute a run's maps (PCA, t-SNE, UMAP) in advance and store them beside it."
    add_checkpoint(add_command(commands, "project", project, description))


def project(arguments: argparse.Namespace) -> int:
    from cl_core.data.registry import load_dataset
    from cl_core.explore.maps import compute_maps
    from cl_core.runs.store import load_run, untrained_like

    run = load_run(arguments.checkpoint)
    for each in (run, untrained_like(run)):
        for projector in compute_maps(each, load_dataset(run.record.config.dataset)):
            print(f"{each.name}: {projector} written to {each.folder.path / 'projections'}")
    return 0
