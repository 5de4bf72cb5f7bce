"""What the bot says and when it is silent: pure rules, no I/O."""
