"""Numbers -> Plotly figures. Colours of text, grid and paper belong to the page, which has two themes."""
