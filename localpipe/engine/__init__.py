"""Where decisions meet effects: fold, decide, perform."""
