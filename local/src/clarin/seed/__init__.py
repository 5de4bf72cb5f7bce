"""Believable data in any amount: who wrote to a shop over months, what was said, by whom it was answered.

`vocabulary` has the words, `story` (pure, the same for the same seed) says what happened, `filling` writes it by COPY.
"""
