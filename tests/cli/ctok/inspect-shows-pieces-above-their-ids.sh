. "$TESTS/cli/ctok/check.bash"
tiny
is 'the  fox  ##es  [UNK]  你  好
5    8    9     1      16  17

6 tokens, 5 words, 14 characters, 18 bytes: 3 bytes a token; 1 unknown
' ctok inspect -V vocab.txt 'the foxes x 你好'
printf 'he\nleft\n' | is 'he
23

1 token, 1 word, 2 characters, 2 bytes: 2 bytes a token

left
24

1 token, 1 word, 4 characters, 4 bytes: 4 bytes a token
' ctok inspect -V vocab.txt -
ctok inspect -V vocab.txt --color=always 'the fox' >out
grep -q $'\033\\[' out
ctok inspect -V vocab.txt 'the fox' >out
lacks $'\033' out
