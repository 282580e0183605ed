"""The ways of the program put together: load, validate, plan, run, follow. The command line is a shell around it."""
