"""A WhatsApp network on loopback: phones, server and media hosts, for the real client library to talk to."""
