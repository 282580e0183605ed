"""`python -m qstash_jobs`."""

from qstash_jobs.cli import main

main()
