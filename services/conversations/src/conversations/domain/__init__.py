"""What conversations knows without a database: statuses, identities, phones, the shape of a message. Pure."""
