"""Tables in files, and networks together with the columns that they were trained on: what the command line is made of.

``reading`` makes a ``Table`` of a file, ``columns`` turns its cells into a network's inputs, ``targets`` finds out what
is to be learned, ``model`` is a network with all of that, ``layout`` is how a file keeps it, ``evaluation`` judges it.
"""
