"""What a board is, and how firmware for it is built, sized and flashed."""
