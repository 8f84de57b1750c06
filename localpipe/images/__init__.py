"""Stand-ins for AWS's images: which there are, how images are built, and virtual environments of the same pins."""
