"""Networks: what they are given, how they run, what may be believed of their doses."""
