"""`python -m pylightnix` is the command `pylightnix`."""

from pylightnix.cli import main

main()
