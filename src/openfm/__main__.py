"""`python -m openfm`, and the command `openfm`."""

from openfm.cli.main import main

if __name__ == "__main__":
    main()
