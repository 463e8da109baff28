. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
oracle-cshuf -s 3 in >want
{ head -c 7 in && sleep 0.2 && head -c 5007 in | tail -c +8 && sleep 0.2 && tail -c +5008 in; } |
    cshuf -s 3 | cmp - want
