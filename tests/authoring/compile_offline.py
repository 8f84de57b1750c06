"""Run in a network namespace of its own: brings loopback up, compiles a script, prints the pipeline's name.

Arguments: the script, the Python with its SDK, the store's folder.
"""

import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from localpipe.authoring import load_target
from localpipe.core.names import Identity
from localpipe.store import LocalStore

SIOCSIFFLAGS, IFF_UP, IFF_LOOPBACK, IFF_RUNNING = 0x8914, 0x1, 0x8, 0x40

script, python, home = sys.argv[1:]
with socket.socket() as any_socket:
    request = struct.pack("16sh14x", b"lo", IFF_UP | IFF_LOOPBACK | IFF_RUNNING)
    fcntl.ioctl(any_socket.fileno(), SIOCSIFFLAGS, request)

authored = load_target(
    Path(script),
    store=LocalStore(Path(home), {}),
    identity=Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/LocalpipeRole"),
    environ=os.environ,
    python=python,
)
print(authored.pipeline_name)
