"""What the author of a training job can mend. Its text becomes the job's failure file."""


class UserError(Exception):
    """A wrong hyperparameter, channel or file. The message says which, and what was expected."""
