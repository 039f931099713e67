"""`milligray validate`."""


def validate() -> None:
    """Published cases."""
