"""`s3`: look into the local S3 and copy to and from it."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from localpipe.cli.common import home_as_it_is, home_below, home_option, open_home, say
from localpipe.core.times import iso_time
from localpipe.errors import UsageError
from localpipe.service import objects

if TYPE_CHECKING:
    from localpipe.core.ports import ObjectStore

_STREAM = "-"
_recursive = click.option("--recursive", is_flag=True, help="All that lies below.")


@click.group()
@click.pass_context
@home_option
def s3(context: click.Context, home: str | None) -> None:
    """Look into the local S3 and copy to and from it. Its objects are ordinary files below `.localpipe/s3`."""
    context.obj = home


@s3.command("ls")
@click.argument("uri", default="s3://")
@_recursive
@click.option("-l", "--long", "long_", is_flag=True, help="Size and time before each URI.")
@home_below
@click.pass_obj
def list_(home: str | None, uri: str, *, recursive: bool, long_: bool) -> None:
    """List what begins with URI, a string prefix as on S3: one URI a line; up to the next slash unless --recursive.

    Control characters in a key are shown percent-encoded, so that a line feed (%0A) does not begin a line.
    """
    for listed in objects.list_objects(home_as_it_is({"home": home}).store, uri, recursive):
        if long_:
            size, time = ("", "") if listed.is_prefix else (str(listed.size), iso_time(listed.modified_at))
            click.echo(f"{time:24}  {size:>12}  {objects.shown(listed.uri)}")
        else:
            click.echo(objects.shown(listed.uri))


@s3.command()
@click.argument("source")
@click.argument("destination")
@_recursive
@home_below
@click.pass_obj
def cp(home: str | None, source: str, destination: str, *, recursive: bool) -> None:
    """Copy a file or object to, from or within the local S3. A bucket that does not exist is made.

    `-` is standard input as SOURCE, standard output as DESTINATION.
    """
    if recursive and _STREAM in (source, destination):
        raise UsageError("- is one file: leave --recursive out.")
    if destination == _STREAM:
        _print(home_as_it_is({"home": home}).store, source)
        return
    store = open_home({"home": home}).store
    note = objects.new_bucket_note(store, destination)
    if source == _STREAM:
        uri = objects.put_stream(store, sys.stdin.buffer, destination)
        say(f"- → {objects.shown(uri)}")
    else:
        for copied in objects.copy(store, source, destination, recursive):
            say(f"{objects.shown(copied.source)} → {objects.shown(copied.destination)}")
    if note:
        say(f"note: {note}")


@s3.command()
@click.argument("uri")
@_recursive
@home_below
@click.pass_obj
def rm(home: str | None, uri: str, *, recursive: bool) -> None:
    """Remove an object, or with --recursive all below URI."""
    for removed in objects.remove(open_home({"home": home}).store, uri, recursive):
        say(f"removed {objects.shown(removed)}")


@s3.command()
@click.argument("uri")
@home_below
@click.pass_obj
def cat(home: str | None, uri: str) -> None:
    """Print an object."""
    _print(home_as_it_is({"home": home}).store, uri)


def _print(store: ObjectStore, uri: str) -> None:
    with objects.cat(store, uri) as content:
        shutil.copyfileobj(content, sys.stdout.buffer)
    sys.stdout.buffer.flush()
