. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
quiet cshuf --split a=.7,b=.3 -o '%s.txt.zst' in
zstd -q -dc a.txt.zst b.txt.zst >out
permutes out in
quiet cshuf --split a=.7,b=.3 -o new.txt.gz in
gzip -dc new.a.txt.gz new.b.txt.gz >out
permutes out in
