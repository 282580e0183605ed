"""`qstash-jobs schema`."""

import click

from qstash_jobs.cli.terminal import Terminal


@click.command("schema")
@click.option("--project", is_flag=True, help="The schema of the project file instead.")
def command(*, project: bool) -> None:
    """Print the JSON Schema of job files (2020-12), for editors and other programs.

    In an editor with a YAML language server, put this line at the top of a job file:

    \b
    # yaml-language-server: $schema=job-file.schema.json
    """
    from qstash_jobs.schema import schema_text

    Terminal().result(schema_text("project" if project else "job-file").rstrip("\n"))
