"""The HTTP endpoints: S3 for jobs and authors, AWS calls that compiling a pipeline makes."""
