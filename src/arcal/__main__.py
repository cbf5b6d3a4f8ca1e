"""`python -m arcal` is `arcal`."""

from arcal.cli import main

if __name__ == "__main__":
    main()
