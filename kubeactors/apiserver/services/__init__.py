"""What Services are given: cluster addresses and node ports, without doubles however many API servers there are.

An address or port is taken by a key of its own, which is written in the same store transaction as the Service, on the
condition that it did not exist. So nothing leaks when a server dies, and two servers cannot give out the same thing.
"""
