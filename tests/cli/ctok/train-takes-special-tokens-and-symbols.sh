. "$TESTS/cli/ctok/check.bash"
novel 300 >in
quiet ctok train --model=wordpiece --size=300 --specials='[UNK],<a>' --user-symbols='@@' --user-symbols='x y,#1' -o w in
is $'[UNK]\n<a>\n@@\nx y\n#1\n' head -n 5 w/vocab.txt
is $'2 1 3 4 0\n' ctok encode -V w <(echo '@@<a>x y#1☃')
quiet ctok train --model=bpe --size=300 --specials= --user-symbols='<|x|>' -o b in
is $'0\n' ctok encode -V b <(echo '<|x|>')
quiet ctok train --model=unigram --size=100 --specials='<pad>,</s>,<unk>' --user-symbols='@@' -o u in
ctok inspect -V u >about
for line in 'pad *<pad> 0' 'unk *<unk> 2' 'eos *</s> 1'; do
    grep -q "$line" about || { cat about >&2 && exit 1; }
done
! grep -q 'bos' about
ctok encode -V u <(echo 'a@@b') | grep -qw 3
# limits
quiet ctok train --model=wordpiece --size=300 --alphabet-limit=5 -q -o l in
[[ $(grep -c '^.$' l/vocab.txt) -le 5 ]]
# as Hugging Face's: what is merged is shorter
quiet ctok train --model=wordpiece --size=300 --max-token-length=4 -q -o m in
[[ $(sed '1,5d; s/^##//' m/vocab.txt | awk '{ if (length > n) n = length } END { print n }') == 3 ]]
