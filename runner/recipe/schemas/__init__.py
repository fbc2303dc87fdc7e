"""What a recipe may hold, as plain data: one file per part of it.

The rules are cerberus', with what `runner.document.schema` adds under `meta`.
"""
