"""Networks, one a file, each with the dataclass of its shape."""
