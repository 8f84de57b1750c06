"""Whether an earlier result stands for a step: what is compared, how it differs, what becomes of it. Pure."""
