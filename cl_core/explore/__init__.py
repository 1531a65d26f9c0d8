"""Looking at a trained model: galleries, search, maps, per-image losses and reports."""
