"""Rules about variables of the environment: none that holds a secret is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.document.check import Checked
from runner.document.document import locate
from runner.errors import Problem

SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(^|_)(API)?KEYS?(_|$)", re.IGNORECASE)


def secrets(checked: Checked) -> Iterator[Problem]:
    """Recipes are shared and their values end up in reports, so secrets stay out of them."""
    for i, name in enumerate(checked.value.get("env", ())):
        if SECRET.search(name):
            message = f"{name!r} looks like a secret, which a recipe may not read"
            yield Problem(locate(checked.document, ("env", i)), message, "use another name")
