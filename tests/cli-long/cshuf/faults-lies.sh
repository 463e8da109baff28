# Temporary data that come back changed, at 3,000 points and more.
B=$B "$TESTS/faults/run-cshuf" long lies
