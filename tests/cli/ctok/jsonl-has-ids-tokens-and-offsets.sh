. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the foxes\n你 好\n\n' >in
is '{"ids":[5,8,9],"tokens":["the","fox","##es"],"offsets":[[0,3],[4,7],[7,9]]}
{"ids":[16,17],"tokens":["你","好"],"offsets":[[0,3],[4,7]]}
{"ids":[],"tokens":[],"offsets":[]}
' ctok encode -V vocab.txt --output=jsonl in
is '{"ids":[5,8,9],"tokens":["the","fox","##es"],"offsets":[[0,3],[4,7],[7,9]]}
{"ids":[16,17],"tokens":["你","好"],"offsets":[[0,1],[2,3]]}
{"ids":[],"tokens":[],"offsets":[]}
' ctok encode -V vocab.txt --output=jsonl --offset-unit=char in
printf 'he left. The fox' >in
is '{"ids":[[23,24,13],[5,8]],"tokens":[["he","left","."],["the","fox"]],"offsets":[[[0,2],[3,7],[7,8]],[[9,12],[13,16]]]}
' ctok encode -V vocab.txt --output=jsonl --split-sentences in
