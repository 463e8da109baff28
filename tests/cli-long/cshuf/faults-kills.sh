# SIGKILL at 1,000 points and more; other signals.
B=$B "$TESTS/faults/run-cshuf" long kills signals
