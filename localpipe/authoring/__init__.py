"""From an author's pipeline.py or Pipeline object to a definition."""

from localpipe.authoring.outcome import AuthoredDefinition
from localpipe.authoring.script import Asked, definition_from_script
from localpipe.authoring.target import SdkPipeline, compile_pipeline, load_target
from localpipe.authoring.templates import write_template

__all__ = [
    "Asked",
    "AuthoredDefinition",
    "SdkPipeline",
    "compile_pipeline",
    "definition_from_script",
    "load_target",
    "write_template",
]
