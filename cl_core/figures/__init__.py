"""Numbers -> Plotly figures. Colors of text, grid and paper belong to the page, which has two themes."""
