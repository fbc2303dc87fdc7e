"""The schemas themselves: legal for cerberus, and consistent in themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cerberus import Validator  # type: ignore[import-untyped]

from runner.document.read import read_document
from runner.document.schema import fit
from runner.recipe.schemas.recipe import RECIPE
from runner.recipe.schemas.steps import PARAMETERS
from runner.target_schema import DESCRIPTOR
from runner.targets import FOLDER, target_names
from tests.runner.recipe.written import FULL, write


def test_the_recipe_s_schema_is_legal_for_cerberus(tmp_path: Path) -> None:
    value = read_document(write(tmp_path, FULL)).value
    assert Validator(strict(fit(RECIPE, value).fields)).schema


@pytest.mark.parametrize("name", target_names())
def test_the_descriptor_s_schema_is_legal_for_cerberus(name: str) -> None:
    value = read_document(FOLDER / f"{name}.yaml").value
    assert Validator(strict(fit(DESCRIPTOR, value).fields)).schema


@pytest.mark.parametrize("root", [RECIPE, DESCRIPTOR], ids=["recipe", "descriptor"])
def test_no_name_is_both_valid_and_refused(root: dict[str, Any]) -> None:
    for rules in mappings(root):
        for table in ("spellings", "later", "advice"):
            refused = rules.get("meta", {}).get(table, {})
            valid = set(rules.get("schema", {}))
            assert not valid & set(refused), (table, valid & set(refused))


@pytest.mark.parametrize("root", [RECIPE, DESCRIPTOR], ids=["recipe", "descriptor"])
def test_spellings_lead_to_names_that_are_there(root: dict[str, Any]) -> None:
    for rules in mappings(root):
        about = rules.get("meta", {})
        choose = about.get("choose", {"key": "", "kinds": {}})
        chosen = {key for kind in choose["kinds"].values() for key in kind} | {choose["key"]}
        known = {
            *rules.get("schema", {}),
            *chosen,
            *about.get("later", {}),
            *about.get("advice", {}),
        }
        for ours in about.get("spellings", {}).values():
            assert ours.split(".")[0] in known | PARAMETERS_OF_OTHER_STEPS, ours


PARAMETERS_OF_OTHER_STEPS = set(PARAMETERS["DefaultQuantization"])
"""One table of spellings serves all steps."""


def mappings(rules: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The rules of every mapping in a schema."""
    if not rules:
        return
    if rules.get("type") == "dict":
        yield rules
    inner = [*rules.get("meta", {}).get("forms", ())]
    schema = rules.get("schema", {})
    inner += list(schema.values()) if rules.get("type") == "dict" else [schema]
    kinds = rules.get("meta", {}).get("choose", {}).get("kinds", {})
    inner += [field for kind in kinds.values() for field in kind.values()]
    inner.append(rules.get("valuesrules", {}))
    for each in inner:
        yield from mappings(each)


def strict(fields_: dict[str, Any]) -> dict[str, Any]:
    """Drop what cerberus need not judge: rules of keys that the document does not have."""
    return {key: rules for key, rules in fields_.items() if "type" in rules}
