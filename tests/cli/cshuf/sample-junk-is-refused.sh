. "$TESTS/cli/cshuf/check.bash"
for p in x '' 1.01 -0.1 2 nan inf .5x; do refuses share -- cshuf --sample "$p" /dev/null; done
