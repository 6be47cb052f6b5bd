"""`python -m textcls`: the command line."""

from __future__ import annotations

from textcls.cli import main

if __name__ == "__main__":
    main()
