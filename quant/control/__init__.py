"""Quantization under a limit of the accuracy drop, and what each operation has to do with it."""
