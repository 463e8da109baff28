# Ten times as many data sets as the unit test tries.
PAIRS_ROUNDS=10 "$B/tests/samples/test_pairs"
