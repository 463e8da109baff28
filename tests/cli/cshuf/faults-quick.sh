# A few points of each kind of fault, and the battery with a small input.
B=$B "$TESTS/faults/run-cshuf" quick
