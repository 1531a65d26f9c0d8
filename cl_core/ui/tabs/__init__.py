"""One module a view; each has `build`, which lays it out and wires it."""
