"""Measuring a quantized model against its original: `pair` joins the two, `observers` measure,
`diagnose` runs the pass and gives the answers."""
