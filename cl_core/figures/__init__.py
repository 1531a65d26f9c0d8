"""Figures: numbers in, Plotly figures out."""
