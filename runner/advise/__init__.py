"""Advice: the best practices of post-training quantization, tried on the user's own model.

Source: POT's best practices (the first seed document), whose order this follows.
"""
