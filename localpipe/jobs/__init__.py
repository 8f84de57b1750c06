"""Create*Job request to `JobSpec`, `JobResult` to Describe*Job response. Pure."""
