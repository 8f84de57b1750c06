"""`python -m localpipe`."""

from localpipe.cli import main

main()
