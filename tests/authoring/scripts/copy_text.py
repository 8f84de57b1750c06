from pathlib import Path

text = Path("/opt/ml/processing/in/a.txt").read_text()
Path("/opt/ml/processing/out/copied.txt").write_text(text)
