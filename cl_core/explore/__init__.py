"""What the tabs look at: galleries, projections, maps, per-image losses, reports."""
