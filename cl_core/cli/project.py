"""`project`: compute maps in advance."""

from __future__ import annotations

import argparse

from cl_core.cli.options import Commands, add_checkpoint, add_command


def add_parser(commands: Commands) -> None:
    description = "Compute a run's maps (PCA, t-SNE, UMAP; t-SNE at each snapshot) in advance and store them beside it."
    add_checkpoint(add_command(commands, "project", project, description))


def project(arguments: argparse.Namespace) -> int:
    from cl_core.data.registry import load_dataset
    from cl_core.explore.maps import can_lay_out, compute_maps, lay_out
    from cl_core.networks.methods import METHODS
    from cl_core.runs.store import load_run, untrained_like

    run = load_run(arguments.checkpoint)
    data = load_dataset(run.record.config.dataset)
    # The map of a public encoder before training has no meaning.
    for each in (run, untrained_like(run)) if METHODS[run.record.config.method].trainable else (run,):
        for projector in compute_maps(each, data):
            print(f"{each.name}: {projector} written to {each.folder.path / 'projections'}")
    if can_lay_out(run.folder):
        for _ in lay_out(run, data):
            pass
        print(f"{run.name}: t-SNE over time written to {run.folder.layout_file}")
    return 0
