"""What the author of a Spark step can mend."""


class UserError(Exception):
    """A wrong option, path or configuration. The message says which, and what was expected."""
