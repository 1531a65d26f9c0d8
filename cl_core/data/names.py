"""How a set of images may be called."""

import re

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Known by their names: whoever has them has the same images in the same order, so many to train and to test.
PUBLIC = {"cifar10": (50_000, 10_000)}
