"""The author's own code outside of containers: Lambda functions, each call in a process of its own, and queue commands."""
