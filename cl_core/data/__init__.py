"""Data sets: bundled, downloaded and imported images, and the decoding of image files."""
