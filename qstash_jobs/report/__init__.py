"""What a run found, plans, did and remembers -> text and machine formats: values in, lines out."""
