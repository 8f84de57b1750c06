"""What runs inside the author's Python, where localpipe is not installed: standard library only, Python 3.7 and later.

Two users: `python <this folder> REQUEST.json` runs an author's script (`run`); `localpipe.authoring` imports `redirect` to
compile an SDK `Pipeline` object in its own process. Imports between these modules are relative, so that both work.
"""
