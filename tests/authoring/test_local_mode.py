from __future__ import annotations

import json

import pytest

from localpipe.authoring.local_mode import without_local_instances


@pytest.mark.parametrize(("local", "instance_type"), [("local", "ml.m5.large"), ("local_gpu", "ml.g4dn.xlarge")])
def test_instances_of_local_mode_become_instances_of_the_service(local: str, instance_type: str) -> None:
    def definition(wanted: str) -> str:
        return json.dumps({"Steps": [{"Name": "local", "Arguments": {"ResourceConfig": {"InstanceType": wanted}}}]})

    assert without_local_instances(definition(local)) == definition(instance_type)


@pytest.mark.parametrize("text", ['{"InstanceType":"ml.m5.large"}', '{"InstanceType": {"Get": "Parameters.local"}}', "{"])
def test_a_definition_without_them_stays_as_it_is(text: str) -> None:
    assert without_local_instances(text) == text
