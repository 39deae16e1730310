"""The pages that show a run, several runs, or all of the assignment."""
