"""What recipes expect: subjects, bounds, verdicts and the checks made of them."""
