"""The way from an empty database to today's schema."""

from typing import Final

# What a process of this version expects; looked at without loading the migrations themselves.
HEAD: Final = "0019"
