"""What an endpoint is, when it is tried, what it gets, and where nothing is sent. Pure."""
