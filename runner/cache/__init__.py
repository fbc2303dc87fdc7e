"""What runs leave for later ones: statistics of calibration data, and FP32's answers to metrics.

Entries are found by the content that they follow from, so nothing in here is ever out of date.
"""
