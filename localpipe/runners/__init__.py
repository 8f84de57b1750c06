"""What runs staged jobs. A runner is one module here and one entry in `service/wiring.py`, which makes it."""
