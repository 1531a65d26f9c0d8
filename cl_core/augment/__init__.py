"""Views: the augmentations of an image, recorded so that they can be shown."""
