"""Augmentation of images to views, with a record of each step."""
