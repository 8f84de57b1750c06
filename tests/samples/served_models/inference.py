from pathlib import Path

import xgboost


def model_fn(model_dir: str) -> xgboost.Booster:
    return xgboost.Booster(model_file=str(Path(model_dir) / "xgboost-model"))
