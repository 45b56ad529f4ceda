"""Published capability tasks, run by the harness inspect_evals in a process and an environment of its own."""
