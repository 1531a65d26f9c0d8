"""Imports in the background: of files, of public data sets and of data sets of the Hub."""
