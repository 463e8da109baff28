# Calls and allocations that fail, in every writer of sets.
B=$B "$TESTS/faults/run-records" long cshard
