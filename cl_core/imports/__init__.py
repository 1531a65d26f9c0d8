"""Imports beside the page: of files, of public data sets and of data sets of the Hub."""
