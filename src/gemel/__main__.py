"""python -m gemel: the same as the `gemel` command."""

from gemel.cli import main

main()
