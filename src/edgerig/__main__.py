"""``python -m edgerig``."""

from edgerig.cli import main

if __name__ == "__main__":
    main()
