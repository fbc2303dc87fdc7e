"""The Report type and its renderers; see `report.report` and one module per format."""
