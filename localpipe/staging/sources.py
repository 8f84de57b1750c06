"""From what a channel's URI names to objects of the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from localpipe.core.jobspec import DataType
from localpipe.core.names import S3Uri
from localpipe.errors import InputNotFound, JobFailed, StoreError
from localpipe.staging.keys import channel_files, is_folder_marker
from localpipe.staging.manifests import parse_augmented_manifest, parse_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localpipe.core.jobspec import Channel
    from localpipe.core.ports import ObjectInfo, ObjectStore
    from localpipe.staging.keys import ChannelFiles
    from localpipe.staging.manifests import Attribute

    NearestPrefix: TypeAlias = Callable[[S3Uri], str | None]
    """The nearest prefix that has objects, None if there is none."""


def find_files(channel: Channel, store: ObjectStore, nearest_prefix: NearestPrefix) -> ChannelFiles:
    """The objects of a channel in File or FastFile mode, each in its place below the channel's directory.

    Raises InputNotFound for a URI without objects, JobFailed for a manifest that cannot be used and for an object that is
    missing or cannot be a file.
    """
    match channel.data_type:
        case DataType.S3_PREFIX:
            return channel_files(channel, _objects(channel, store, nearest_prefix))
        case DataType.MANIFEST_FILE:
            manifest = parse_manifest(channel, _content(channel, store, nearest_prefix))
            return channel_files(replace(channel, uri=manifest.prefix), _named(channel, manifest.uris, store))
        case DataType.AUGMENTED_MANIFEST_FILE:
            raise JobFailed(f"Input {channel.name!r}: an augmented manifest can only be read in Pipe mode.")
        case _:
            assert_never(channel.data_type)


def find_lines(channel: Channel, store: ObjectStore, nearest_prefix: NearestPrefix) -> list[tuple[Attribute, ...]]:
    """What is streamed of a channel in Pipe mode, in order: one tuple for each object or line of an augmented manifest.

    Folder markers are left out. Raises as `find_files`.
    """
    match channel.data_type:
        case DataType.S3_PREFIX:
            return [(info.uri,) for info in _objects(channel, store, nearest_prefix) if not is_folder_marker(info)]
        case DataType.MANIFEST_FILE:
            manifest = parse_manifest(channel, _content(channel, store, nearest_prefix))
            return [(info.uri,) for info in _named(channel, manifest.uris, store)]
        case DataType.AUGMENTED_MANIFEST_FILE:
            lines = parse_augmented_manifest(channel, _content(channel, store, nearest_prefix))
            _named(channel, (value for line in lines for value in line if isinstance(value, S3Uri)), store)
            return lines
        case _:
            assert_never(channel.data_type)


def find_objects(channel: Channel, store: ObjectStore, nearest_prefix: NearestPrefix) -> tuple[S3Uri, list[S3Uri]]:
    """What a channel that is no augmented manifest names, in order, and the prefix below which all of it lies.

    Folder markers are left out. Raises as `find_files`.
    """
    if channel.data_type is not DataType.MANIFEST_FILE:
        found = _objects(channel, store, nearest_prefix)
        return channel.uri, [info.uri for info in found if not is_folder_marker(info)]
    manifest = parse_manifest(channel, _content(channel, store, nearest_prefix))
    return manifest.prefix, [info.uri for info in _named(channel, manifest.uris, store)]


def _objects(channel: Channel, store: ObjectStore, nearest_prefix: NearestPrefix) -> list[ObjectInfo]:
    objects = listed(channel.uri, store)
    if not objects:
        raise _not_found(channel, nearest_prefix)
    return objects


def listed(prefix: S3Uri, store: ObjectStore) -> list[ObjectInfo]:
    """The objects below a prefix; none if there is no such bucket."""
    try:
        return list(store.list(prefix))
    except StoreError as error:
        if error.s3_code == "NoSuchBucket":
            return []
        raise


def _content(channel: Channel, store: ObjectStore, nearest_prefix: NearestPrefix) -> bytes:
    """The text of the channel's manifest."""
    try:
        with store.open(channel.uri) as stream:
            return stream.read()
    except StoreError as error:
        if error.s3_code not in {"NoSuchKey", "NoSuchBucket"}:
            raise
        raise _not_found(channel, nearest_prefix) from error


def _named(channel: Channel, uris: Iterable[S3Uri], store: ObjectStore) -> list[ObjectInfo]:
    """The objects that a manifest names. Raises JobFailed for one that is not there."""
    return [_existing(channel, uri, store) for uri in uris]


def _existing(channel: Channel, uri: S3Uri, store: ObjectStore) -> ObjectInfo:
    info = store.head(uri)
    if info is None:
        raise JobFailed(f"Input {channel.name!r}: the manifest {channel.uri} names {uri}, and there is no such object.")
    return info


def _not_found(channel: Channel, nearest_prefix: NearestPrefix) -> InputNotFound:
    return InputNotFound(channel.name, str(channel.uri), channel.path, nearest_prefix(channel.uri))
