"""YAML documents with positions, and schema checks that point at what is wrong.

Recipes and hardware descriptors are read and checked by the same code: `read.read_document` gives a
`document.Document`, `check.check` compares it with a schema of plain data.
"""
