"""What the author wrote: definition JSON, expressions, conditions, parameters. Pure."""
