"""Measurements against NNCF and against the floor of any calibration; see README.md."""
