"""One function per operation, named as SageMaker names it."""
