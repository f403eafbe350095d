"""`python -m attnsearch` is the command `attnsearch`."""

from attnsearch.cli.main import main

if __name__ == "__main__":
    main()
