"""What conversations makes of the facts that others tell."""
