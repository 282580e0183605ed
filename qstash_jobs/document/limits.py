"""How much of a file is read before it is refused."""

MOST_BYTES = 16 * 1024 * 1024
MOST_LEVELS = 64
"""Mappings and lists inside each other; the top of the file is the first level."""
MOST_NODES = 50_000
"""Keys and values in a job, those that an alias repeats counted again."""
MOST_ALIASES = 100
"""In a job."""
MOST_PROBLEMS = 1_000
"""In a file: what comes after would be more of the same."""
LONGEST_NUMBER = 1_000
"""Characters. Python refuses to read integers from 4,300 digits on; no service takes a tenth of that."""
LARGEST_EXPONENT = 308
"""Of ten, either way: what a double can hold, and so what a receiver of JSON can be expected to read."""
