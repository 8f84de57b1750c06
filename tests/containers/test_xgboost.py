from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from stand_in_places import Image, OptMl, Place, VirtualEnvironment

ABALONE_ROWS = [
    [0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15],
    [0.35, 0.265, 0.09, 0.2255, 0.0995, 0.0485, 0.07, 7],
    [0.53, 0.42, 0.135, 0.677, 0.2565, 0.1415, 0.21, 9],
    [0.44, 0.365, 0.125, 0.516, 0.2155, 0.114, 0.155, 10],
    [0.33, 0.255, 0.08, 0.205, 0.0895, 0.0395, 0.055, 7],
]
CSV = "".join(f"{row[-1]},{','.join(map(str, row[:-1]))}\n" for row in ABALONE_ROWS * 40)
LIBSVM = "".join(
    f"{row[-1]} {' '.join(f'{index}:{value}' for index, value in enumerate(row[:-1]))}\n" for row in ABALONE_ROWS * 40
)
ABALONE_SEED = {  # the hyperparameters of the abalone seed template
    "objective": "reg:linear",
    "num_round": "5",
    "max_depth": "5",
    "eta": "0.2",
    "gamma": "4",
    "min_child_weight": "6",
    "subsample": "0.7",
    "silent": "0",
}
PREDICT = (
    "import pickle, xgboost, numpy; {load};"
    " print('PREDICTED', model.predict(xgboost.DMatrix(numpy.array([[0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15]]))))"
)
UNPICKLED = PREDICT.format(load="model = pickle.load(open('/opt/ml/model/xgboost-model', 'rb'))")
LOADED = PREDICT.format(load="model = xgboost.Booster(model_file='/opt/ml/model/xgboost-model')")


def test_built_in_algorithm_trains_on_csv_and_pickles_the_model_of_tag_1_0(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("xgboost:1.0-1")
    opt_ml.channel("train", {"train.csv": CSV}).channel("validation", {"v.csv": CSV}).configure(ABALONE_SEED)
    outcome = place.run(opt_ml, "train")
    assert outcome.returncode == 0, outcome.stdout
    rounds = re.findall(r"^\[(\d)\]\ttrain-rmse:\d+\.\d+\tvalidation-rmse:\d+\.\d+$", outcome.stdout, re.MULTILINE)
    assert rounds == ["0", "1", "2", "3", "4"], outcome.stdout
    assert sorted(path.name for path in (opt_ml.root / "model").iterdir()) == ["xgboost-model"]
    predicted = place.run(opt_ml, "python3", "-c", UNPICKLED)
    assert "PREDICTED" in predicted.stdout, predicted.stdout


def test_tag_1_5_saves_in_the_native_format_and_takes_libsvm_by_default(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("xgboost:1.5-1")
    opt_ml.channel("train", {"part-0": LIBSVM, "part-1": LIBSVM}, content_type=None).configure({"num_round": "3"})
    outcome = place.run(opt_ml, "train")
    assert outcome.returncode == 0, outcome.stdout
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads((opt_ml.root / "model" / "xgboost-model").read_bytes())  # noqa: S301 - it is no pickle
    predicted = place.run(opt_ml, "python3", "-c", LOADED)
    assert "PREDICTED" in predicted.stdout, predicted.stdout


@pytest.mark.parametrize(
    ("channels", "hyperparameters", "failure"),
    [
        ({}, {"num_round": "3"}, "Missing required channel: train. The job has no channels."),
        ({"train": CSV}, {}, "Missing required hyperparameter: num_round."),
        ({"train": CSV}, {"num_round": "3", "eta": "2"}, "Hyperparameter eta: '2' is not between 0 and 1."),
        ({"train": CSV}, {"num_round": "3", "objective": "reg:cubic"}, "XGBoost: "),
        (
            {"train": "rings,length\n" + CSV},
            {"num_round": "3"},
            "/opt/ml/input/data/train/data line 1: 'rings' in column 1 is not a number. CSV data has no header line",
        ),
    ],
)
@pytest.mark.sandbox
def test_what_the_author_can_mend_is_in_the_failure_file(
    opt_ml: OptMl, channels: dict[str, str], hyperparameters: dict[str, str], failure: str
) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    for name, text in channels.items():
        opt_ml.channel(name, {"data": text})
    outcome = place.run(opt_ml.configure(hyperparameters), "train")
    assert outcome.returncode == 1, outcome.stdout
    assert opt_ml.failure.startswith(failure)


@pytest.mark.sandbox
def test_early_stopping_added_metrics_weights_and_classes(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    weighted = "".join(f"{index % 3},1.5,{index % 3},{index % 7}\n" for index in range(90))
    opt_ml.channel("train", {"a.csv": weighted}, "text/csv;label_size=1").channel("validation", {"b.csv": weighted})
    hyperparameters = {
        "num_round": "50",
        "objective": "multi:softprob",
        "num_class": "3",
        "csv_weights": "1",
        "eval_metric": "mlogloss,accuracy",
        "early_stopping_rounds": "2",
    }
    outcome = place.run(opt_ml.configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "validation-accuracy:1.0" in outcome.stdout
    assert "[49]" not in outcome.stdout


@pytest.mark.sandbox
def test_early_stopping_knows_that_more_is_better_in_r2(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    opt_ml.channel("train", {"train.csv": CSV}).channel("validation", {"v.csv": CSV})
    hyperparameters = {"num_round": "8", "eval_metric": "r2", "early_stopping_rounds": "2"}
    outcome = place.run(opt_ml.configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "[7]\ttrain-r2:" in outcome.stdout


def test_script_mode_runs_the_script_by_the_toolkit(place_kind: type[Place], opt_ml: OptMl) -> None:
    script = "import os, xgboost, sklearn, pandas\nprint('RAN', os.environ['SM_CHANNEL_TRAIN'], pandas.__version__)\n"
    hyperparameters = opt_ml.code({"main.py": script})
    place = place_kind("xgboost:1.5-1")
    outcome = place.run(opt_ml.channel("train", {"t.csv": CSV}).configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "RAN /opt/ml/input/data/train 1.5.3" in outcome.stdout


@pytest.mark.docker
@pytest.mark.sandbox
def test_both_places_make_the_same_model_from_the_same_data(opt_ml: OptMl, tmp_path: Path) -> None:
    other = OptMl(tmp_path / "other")
    for tree, place in ((opt_ml, Image("xgboost:1.0-1")), (other, VirtualEnvironment("xgboost:1.0-1"))):
        tree.channel("train", {"train.csv": CSV}).configure(ABALONE_SEED)
        assert place.run(tree, "train").returncode == 0
    first, second = ((tree.root / "model" / "xgboost-model").read_bytes() for tree in (opt_ml, other))
    assert first == second
