"""The models that compete."""

from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def make_regressor(model, alpha, trees, learning_rate):
    if model == "ridge":
        return make_pipeline(StandardScaler(), Ridge(alpha=alpha))
    if model == "forest":
        return RandomForestRegressor(n_estimators=trees, random_state=0)
    if model == "boosting":
        return GradientBoostingRegressor(n_estimators=trees, learning_rate=learning_rate, random_state=0)
    raise SystemExit(f"There is no model {model!r}: ridge, forest or boosting.")
