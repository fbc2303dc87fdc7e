"""The command `recipe`: one file per verb, each thin; `main.main` is the entry point."""
