# Calls and allocations that fail, at 3,000 points and more.
B=$B "$TESTS/faults/run-cshuf" long errors
