"""`textcls register`."""


def register() -> None:
    """TODO."""
