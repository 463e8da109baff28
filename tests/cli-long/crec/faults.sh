# Calls and allocations that fail while files are converted and recovered.
B=$B "$TESTS/faults/run-records" long crec
