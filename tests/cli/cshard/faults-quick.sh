# A few points of each kind of fault, of every format that is written, and of crec recover.
B=$B "$TESTS/faults/run-records" quick
