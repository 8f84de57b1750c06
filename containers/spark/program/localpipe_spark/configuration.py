"""PURE: the `configuration` of a processor, a list of EMR's classifications, as files of Spark's configuration directory."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from localpipe_spark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    Classification: TypeAlias = Mapping[str, "str | Mapping[str, str] | list[Classification]"]

_PROPERTIES = {
    "spark-defaults": "spark-defaults.conf",
    "spark-log4j2": "log4j2.properties",
    "spark-metrics": "metrics.properties",
}
_SITES = {"core-site": "core-site.xml", "hive-site": "hive-site.xml", "spark-hive-site": "hive-site.xml"}
_ENVIRONMENTS = ("hadoop-env", "spark-env", "hive-env")
_WITHOUT_EFFECT = ("hadoop-log4j", "hive-exec-log4j", "hive-log4j", "spark-log4j", "yarn-env", "yarn-site")
"""What AWS's image takes and local mode has no use for: YARN, Hive's own programs, Log4j 1."""
_ENVIRONMENT_FILE = "spark-env.sh"


def files(classifications: Iterable[Classification], defaults: Mapping[str, str]) -> dict[str, str]:
    """Name → text of the files; `defaults`: Spark's properties where the author gives none.

    Raises UserError for a classification that AWS's image has not, or one of the wrong shape.
    """
    properties: dict[str, dict[str, str]] = {"spark-defaults.conf": dict(defaults)}
    sites: dict[str, dict[str, str]] = {}
    exports: dict[str, str] = {}
    for each in classifications:
        name = each["Classification"]
        if name in _PROPERTIES:
            properties.setdefault(_PROPERTIES[name], {}).update(_values(each))
        elif name in _SITES:
            sites.setdefault(_SITES[name], {}).update(_values(each))
        elif name in _ENVIRONMENTS:
            exports.update(_exports(each))
        elif name not in _WITHOUT_EFFECT:
            raise UserError(_unknown(name))
    texts = {name: _properties_text(values) for name, values in properties.items()}
    texts |= {name: _site_text(values) for name, values in sites.items()}
    return texts | ({_ENVIRONMENT_FILE: _exports_text(exports)} if exports else {})


def without_effect(classifications: Iterable[Classification]) -> tuple[str, ...]:
    """The names of those that change nothing here."""
    return tuple(each["Classification"] for each in classifications if each["Classification"] in _WITHOUT_EFFECT)


def classifications_of(document: object) -> tuple[Classification, ...]:
    """Those of `configuration.json`: one, or a list of them. Raises UserError where it is neither."""
    found = document if isinstance(document, list) else [document]
    if not all(isinstance(each, dict) and isinstance(each.get("Classification"), str) for each in found):
        raise UserError("configuration.json: it must be a list of objects with Classification and Properties.")
    return tuple(found)


def _values(each: Classification) -> dict[str, str]:
    return {name: str(value) for name, value in (each.get("Properties") or {}).items()}


def _exports(each: Classification) -> dict[str, str]:
    inner = each.get("Configurations") or []
    if not inner or any(one.get("Classification") != "export" for one in inner):
        raise UserError(f"configuration.json: {each['Classification']} needs Configurations of the Classification `export`.")
    return {name: value for one in inner for name, value in _values(one).items()}


def _unknown(name: str) -> str:
    known = sorted([*_PROPERTIES, *_SITES, *_ENVIRONMENTS, *_WITHOUT_EFFECT])
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}."
    return f"configuration.json: {name!r} is no Classification of the Spark image. {hint}"


def _properties_text(values: Mapping[str, str]) -> str:
    return "".join(f"{name} {value}\n" for name, value in values.items())


def _exports_text(values: Mapping[str, str]) -> str:
    return "".join(f"export {name}={value}\n" for name, value in values.items())


def _site_text(values: Mapping[str, str]) -> str:
    entries = "".join(
        f"  <property><name>{escape(name)}</name><value>{escape(value)}</value></property>\n"
        for name, value in values.items()
    )
    return f"<configuration>\n{entries}</configuration>\n"
