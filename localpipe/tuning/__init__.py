"""Which parameters a tuning job tries next, which trials it stops and when it is over. Pure: no clock, no randomness.

A draw is a function of the seed and of what it is for, so a trial that is asked for again has the same parameters.
"""
