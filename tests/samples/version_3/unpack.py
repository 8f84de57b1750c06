"""Puts what is in the archive of the best model where it can be read."""

import shutil

shutil.unpack_archive("/opt/ml/processing/model/model.tar.gz", "/opt/ml/processing/best")
