"""A world that outlives its process: changes -> rows -> a file, and back."""
