"""The state of a QStash-compatible server, without I/O and without a clock: values in, values out."""
