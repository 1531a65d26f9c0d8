"""Training: the loop, its recorder, several processes, jobs in the background, sweeps and small experiments."""
