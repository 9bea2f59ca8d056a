"""A strict AWS for tests: moto's wire protocol, accounts and partitions, plus what real AWS refuses.

`D§n` in comments is the section of the project's AWS domain reference that the behaviour comes from.
"""
