"""Serves the queue of approvals: gets a message on standard input and answers it. A person would use a shell instead."""

import json
import subprocess
import sys

message = json.load(sys.stdin)
if message["status"] == "Stopping":
    command = ["localpipe", "callback", "fail", message["token"], "--reason", "withdrawn"]
else:
    approved = "true" if message["arguments"]["percent"] >= 80 else "false"
    command = ["localpipe", "callback", "succeed", message["token"], "-o", f"approved={approved}", "-o", "by=approve.py"]
subprocess.run(command, check=True)
