"""Word vectors by noise-contrastive estimation: training, evaluation and queries."""
