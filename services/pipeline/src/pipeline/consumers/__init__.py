"""What the pipeline does about facts."""
