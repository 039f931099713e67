"""milligray."""
