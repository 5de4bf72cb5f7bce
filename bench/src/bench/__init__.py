"""Benchmarks: each measures one promise on a whole installation and prints one JSON object on its last line.

Lost and doubled come from the network's own records held against API and sockets, never from the sender's counters. A
run that did less work than asked ends with a code other than 0.
"""
