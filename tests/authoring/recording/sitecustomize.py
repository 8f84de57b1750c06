"""Writes down every connection and name look-up that is really attempted, before it happens, one JSON list a line."""

import json
import os
import sys

_file = open(os.environ["RECORDED_CONNECTIONS"], "a", buffering=1)  # noqa: PTH123, SIM115 - open as long as Python runs


def _record(event, arguments):  # noqa: ANN001, ANN202
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _file.write(json.dumps(["connect", arguments[1][0]]) + "\n")
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        _file.write(json.dumps(["resolve", str(arguments[0])]) + "\n")


sys.addaudithook(_record)
