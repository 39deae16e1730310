"""The tasks: characters, check, sequences; a folder each."""
