"""Stand-ins for the AI services and sites of the lab. Their answers are canned: what is of interest is the requests."""
