"""Training: the loop, its recorder, several processes, jobs beside the page, sweeps and small experiments."""
