import os
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {**event, "said": os.environ.get("GREETING", f"nothing from {context.function_name}")}
