"""What a model's archive gets as code."""
