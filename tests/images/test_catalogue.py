from __future__ import annotations

import pytest

from localpipe.errors import NotFound
from localpipe.images import catalogue
from localpipe.images.catalogue import Absence, ImageRef
from localpipe.images.families import dotted

AWS = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


def found(uri: str, *, exact: bool = False) -> catalogue.StandIn:
    stand_in = catalogue.stand_in(catalogue.parse_image_uri(uri), exact=exact)
    assert stand_in is not None
    return stand_in


def test_the_parts_of_an_ecr_uri() -> None:
    uri = "246618743249.dkr.ecr-fips.cn-north-1.amazonaws.com.cn/team/my-image:1.0@sha256:ab"
    assert catalogue.parse_image_uri(uri) == ImageRef(
        uri=uri,
        host="246618743249.dkr.ecr-fips.cn-north-1.amazonaws.com.cn",
        account="246618743249",
        region="cn-north-1",
        suffix="amazonaws.com.cn",
        fips=True,
        repository="team/my-image",
        tag="1.0",
        digest="sha256:ab",
    )


@pytest.mark.parametrize(
    ("uri", "host", "repository", "tag"),
    [
        ("my-image", "", "my-image", ""),
        ("team/my-image:2", "", "team/my-image", "2"),
        ("localhost:5000/my-image:2", "localhost:5000", "my-image", "2"),
        ("ghcr.io/team/my-image", "ghcr.io", "team/my-image", ""),
    ],
)
def test_the_parts_of_any_other_uri(uri: str, host: str, repository: str, tag: str) -> None:
    ref = catalogue.parse_image_uri(uri)
    assert (ref.host, ref.account, ref.repository, ref.tag) == (host, "", repository, tag)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (f"{AWS}/sagemaker-scikit-learn:0.23-1-cpu-py3", "scikit-learn:0.23-1"),
        ("141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3", "scikit-learn:1.2-1"),
        (f"{AWS}/sagemaker-xgboost:1.0-1-cpu-py3", "xgboost:1.0-1"),
        (f"{AWS}/sagemaker-xgboost:1.5-1", "xgboost:1.5-1"),
        ("236514542706.dkr.ecr.us-west-2.amazonaws.com/sagemaker-base-python-310:1.0", "base-python-310:1.0"),
        ("763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:2.0-cpu-py310", "pytorch:2.13"),
        ("763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:1.13.1-cpu-py39", "pytorch:2.13"),
        (f"{AWS}/pytorch-inference:2.0.1-gpu-py310-cu118-ubuntu20.04-sagemaker", "pytorch:2.13"),
        (f"{AWS}/tensorflow-training:2.18.0-cpu-py310", "tensorflow:2.21"),
        (f"{AWS}/sagemaker-spark-processing:3.3-cpu-py39-v1.0", "spark:3.5"),
        (f"{AWS}/sagemaker-spark-processing:3.5-cpu-py312-v1.2", "spark:3.5"),
        (f"{AWS}/sagemaker-spark-processing:3.0-cpu", "spark:3.5"),
        ("localpipe/xgboost:1.5-1", "xgboost:1.5-1"),
        ("localpipe/pytorch:2.13", "pytorch:2.13"),
    ],
)
def test_repository_and_tag_choose_the_stand_in(uri: str, name: str) -> None:
    assert found(uri).name == name
    assert found(uri).local_image == f"localpipe/{name}"


def test_these_families_serve_models() -> None:
    assert {each.family for each in catalogue.all_stand_ins() if each.serves} == {"scikit-learn", "xgboost", "pytorch"}


@pytest.mark.parametrize(
    "uri",
    [
        f"{AWS}/sagemaker-xgboost:9.9-1",
        f"{AWS}/my-image:1.2-1",
        "python:3.11-slim",
        "localpipe/x:1",
        f"{AWS}/tensorflow-training:2.13-cpu-py310",
        f"{AWS}/sagemaker-spark-processing:2.4-cpu-py37-v1.0",
    ],
)
def test_other_images_have_no_stand_in(uri: str) -> None:
    assert catalogue.stand_in(catalogue.parse_image_uri(uri)) is None


@pytest.mark.parametrize(
    ("uri", "notes"),
    [
        (f"{AWS}/sagemaker-scikit-learn:0.23-1-cpu-py3", ("scikit-learn 1.1.3 stands for 0.23-1",)),
        (f"{AWS}/sagemaker-scikit-learn:1.2-1-cpu-py3", ()),
        (f"{AWS}/sagemaker-xgboost:1.2-2", ("XGBoost 3.2.0 stands for 1.2-2 (`xgboost_exact = true` takes 1.2.1)",)),
        (f"{AWS}/sagemaker-xgboost:3.0-5", ()),
        (f"{AWS}/pytorch-training:2.0-cpu-py310", ("PyTorch 2.13.0 on the CPU stands for 2.0",)),
        (f"{AWS}/pytorch-training:2.0-gpu-py310", ("PyTorch 2.13.0 on the CPU stands for 2.0 on GPUs",)),
        ("localpipe/pytorch:2.13", ()),
        (f"{AWS}/sagemaker-spark-processing:3.3-cpu-py39-v1.0", ("Spark 3.5.7 in local mode stands for 3.3",)),
    ],
)
def test_a_differing_version_is_noted(uri: str, notes: tuple[str, ...]) -> None:
    assert catalogue.notes(uri, found(uri).local_image, {}) == notes
    assert catalogue.notes(uri, uri, {}) == ()


def test_exact_takes_the_tags_own_version_under_a_name_of_its_own() -> None:
    exact = found(f"{AWS}/sagemaker-xgboost:1.2-2", exact=True)
    assert (exact.local_image, exact.version, exact.notes) == ("localpipe/xgboost:1.2-2-exact", "1.2.1", ())
    assert "xgboost==1.2.1" in exact.pins
    assert catalogue.named("xgboost:1.2-2-exact") == (exact,)
    assert not found(f"{AWS}/sagemaker-xgboost:3.0-5", exact=True).exact


@pytest.mark.parametrize("stand_in", catalogue.all_stand_ins(), ids=lambda stand_in: stand_in.name)
def test_pandas_1_5_serves_where_newer_dummies_would_break_xgboost(stand_in: catalogue.StandIn) -> None:
    if stand_in.family not in {"scikit-learn", "xgboost"}:
        return
    old = [int(part) for part in stand_in.tag.partition("-")[0].split(".")[:2]] <= [
        1,
        5 if stand_in.family == "xgboost" else 2,
    ]
    assert ("pandas==1.5.3" in stand_in.pins) == old


def test_the_true_image_comes_before_the_stand_in() -> None:
    uri = f"{AWS}/sagemaker-xgboost:1.5-1"
    assert catalogue.candidates(uri, {}) == (uri, "localpipe/xgboost:1.5-1")
    assert catalogue.candidates("my-image:1", {}) == ("my-image:1",)


def test_a_mapping_is_the_only_candidate_and_the_first_pattern_wins() -> None:
    mappings = {"*/sagemaker-xgboost:1.5-1": "mine:1", "*/sagemaker-xgboost:*": "mine:2"}
    assert catalogue.candidates(f"{AWS}/sagemaker-xgboost:1.5-1", mappings) == ("mine:1",)
    assert catalogue.candidates(f"{AWS}/sagemaker-xgboost:1.7-1", mappings) == ("mine:2",)
    assert catalogue.notes(f"{AWS}/sagemaker-xgboost:1.5-1", "mine:1", mappings) == ()


def test_what_to_type_where_a_stand_in_is_not_built() -> None:
    assert catalogue.absence(f"{AWS}/sagemaker-scikit-learn:1.2-1-cpu-py3", {}) == Absence(
        reason="neither the image nor its stand-in localpipe/scikit-learn:1.2-1 is on this machine.",
        remedy="Build the stand-in: `localpipe images build scikit-learn:1.2-1`.",
    )


def test_an_unknown_tag_is_refused_with_the_known_ones() -> None:
    assert catalogue.absence(f"{AWS}/sagemaker-scikit-learn:1.2-2-cpu-py3", {}) == Absence(
        reason="localpipe has no stand-in for tag '1.2-2-cpu-py3' of sagemaker-scikit-learn;"
        " it has 0.20.0, 0.23-1, 1.0-1, 1.2-1, 1.4-2.",
        remedy="Map it in localpipe.toml under [images], for example"
        ' "*/sagemaker-scikit-learn:1.2-2-cpu-py3*" = "localpipe/scikit-learn:1.2-1",'
        f" or have the image itself: `docker pull {AWS}/sagemaker-scikit-learn:1.2-2-cpu-py3`.",
    )


def test_an_unknown_tag_of_a_family_with_one_stand_in_is_shown_its_form() -> None:
    absence = catalogue.absence(f"{AWS}/tensorflow-training:2.13-cpu-py310", {})
    assert absence.reason == (
        "localpipe has no stand-in for tag '2.13-cpu-py310' of tensorflow-training; it has those such as 2.18-cpu-py310."
    )
    assert '"*/tensorflow-training:2.13-cpu-py310*" = "localpipe/tensorflow:2.21"' in absence.remedy


def test_an_unknown_image_can_be_mapped_or_pulled() -> None:
    assert catalogue.absence("my-image:1", {}) == Absence(
        reason="localpipe has no stand-in for this repository.",
        remedy='Map it in localpipe.toml under [images], for example "my-image:1" = "my-image:latest",'
        " or have the image itself: `docker pull my-image:1`.",
    )


def test_a_mapped_image_that_is_not_there() -> None:
    absence = catalogue.absence("my-image:1", {"my-image*": "mine:2"})
    assert absence.reason == "[images] in localpipe.toml maps it to mine:2, which is not on this machine."
    assert absence.remedy == "Build or pull that image, or change the mapping."
    built = catalogue.absence("my-image:1", {"my-image*": "localpipe/xgboost:1.5-1"})
    assert built.remedy == "Build it: `localpipe images build xgboost:1.5-1`."
    mistyped = catalogue.absence("my-image:1", {"my-image*": "localpipe/xgboost:9"})
    assert mistyped.remedy == "localpipe makes none of that name: `localpipe images` lists what it makes."


def test_an_archive_is_for_the_sandbox_runner() -> None:
    absence = catalogue.absence("mine:1", {"mine:*": "oci:/some/image.tar"})
    assert absence == Absence(
        reason="[images] in localpipe.toml maps it to the archive /some/image.tar, which only the sandbox runner reads.",
        remedy="Use `--runner sandbox`, or `docker load --input /some/image.tar` and map it to the name that this prints.",
    )


def test_a_base_python_image_has_the_python_of_its_name_and_the_sdk() -> None:
    for python in catalogue.named("base-python-310:1.0"), catalogue.named("base-python-312"):
        (stand_in,) = python
        assert stand_in.preferred_python == stand_in.pythons[0]
        assert stand_in.family == f"base-python-{dotted(stand_in.pythons[0]).replace('.', '')}"
        assert any(pin.startswith("sagemaker==2.") for pin in stand_in.pins)


def test_a_base_python_that_no_package_is_published_for_is_refused_with_what_to_do() -> None:
    uri = f"{AWS}/sagemaker-base-python-38:1.0"
    assert catalogue.stand_in(catalogue.parse_image_uri(uri)) is None
    assert catalogue.absence(uri, {}).reason == (
        "localpipe has no stand-in for Python 3.8: today's packages are not published for it."
        " A script that runs in Python 3.10 makes the SDK ask for sagemaker-base-python-310, which has one."
    )


def test_a_family_alone_names_all_of_its_stand_ins() -> None:
    names = [each.name for each in catalogue.named("scikit-learn")]
    assert names[0] == "scikit-learn:0.20.0"
    assert len(names) == 5
    assert [each.name for each in catalogue.named("localpipe/xgboost:1.5-1")] == ["xgboost:1.5-1"]


def test_a_wrong_name_is_answered_with_the_near_ones() -> None:
    with pytest.raises(NotFound) as raised:
        catalogue.named("scikit-learn:1.2-2")
    assert raised.value.near[0] in {"scikit-learn:1.2-1", "scikit-learn:1.4-2"}
