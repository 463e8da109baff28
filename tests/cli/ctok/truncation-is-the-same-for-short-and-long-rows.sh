# A tokenizer.json that truncates and pads does so for rows longer than a batch, too.
. "$TESTS/cli/ctok/check.bash"
words='"a":0,"b":1,"[CLS]":2,"[SEP]":3,"[UNK]":4,"[PAD]":5'
json() { # json TRUNCATION PADDING
    printf '{"version":"1.0","truncation":%s,"padding":%s,"added_tokens":[],"normalizer":null,' "$1" "$2"
    printf '"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":null,"post_processor":'
    printf '{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]},'
    printf '"model":{"type":"WordLevel","unk_token":"[UNK]","vocab":{%s}}}' "$words"
}
gives() { [[ $("${@:2}" 2>warnings) == "$1" ]]; } # that it cuts is warned of
cut='{"direction":"Left","max_length":7,"strategy":"LongestFirst","stride":0}'
pad='{"strategy":"BatchLongest","direction":"Right","pad_to_multiple_of":4,"pad_id":5,"pad_type_id":0,"pad_token":"[PAD]"}'
{
    echo 'a b'
    awk 'BEGIN { for (i = 0; i < 300000; i++) printf "a "; print "b a" }'
    echo 'b a'
} >in
json "$cut" null >cut.json
gives $'2 0 1 3\n2 0 0 0 1 0 3\n2 1 0 3' ctok encode --specials=add -m 32M -V cut.json in
json "$cut" "$pad" >both.json
gives $'2 0 1 3\n2 0 0 0 1 0 3 5\n2 1 0 3' ctok encode --specials=add -m 32M -V both.json in
json null "$pad" >pad.json
ctok encode --specials=add -m 32M -V pad.json in >small
ctok encode --specials=add -m 300M -V pad.json in >large
cmp small large
[[ $(awk 'NR == 2 { print NF % 4 }' small) == 0 ]]
gives $'2 0 1 3\n\n2 0 0 0 1 0 3\n\n2 1 0 3' ctok encode --specials=add -m 32M -V cut.json --split-sentences in

# the longer text keeps the odd token in any output
json '{"direction":"Right","max_length":8,"strategy":"LongestFirst","stride":0}' null >odd.json
printf 'a a a a a a a a a a\tb b b b b b b b b\n' >in
gives $'2 0 0 3 1 1 1 3' ctok encode -V odd.json --pair in
ctok encode -V odd.json --pair --output=jsonl in | grep -q '"ids":\[2,0,0,3,1,1,1,3\]'
