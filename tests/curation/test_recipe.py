"""curation/recipe.py: values that are possible one by one and not together, and bounds that libraries set."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from curation.recipe import Recipe


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"filter": {"buckets": (1 << 30) + 1}}, "less than or equal to 1073741824"),  # fastText counts rows in 32 bits
        ({"crawl": {"select": {"media_types": []}}}, "at least 1 item"),
        ({"crawl": {"select": {"min_body_bytes": 10, "max_body_bytes": 5}}}, "at least min_body_bytes, 10"),
    ],
)
def test_impossible_values_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(values)
    (problem,) = caught.value.errors()
    assert message in problem["msg"]
