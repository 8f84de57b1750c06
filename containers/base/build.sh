#!/bin/sh
# Make a base image for the stand-ins on Debian without pulling one (needs root and the package mmdebstrap):
#   containers/base/build.sh [IMAGE]          then: localpipe images build --base IMAGE
set -eu
image=${1:-localpipe-base:bookworm}
suite=${SUITE:-bookworm}
mmdebstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
  --aptopt='Apt::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  "$suite" - | docker import --change 'CMD ["python3"]' - "$image"
