. "$TESTS/cli/ctrain/check.bash"
small
quiet ctrain "${five[@]}" -o one -j 1
quiet ctrain "${five[@]}" -o three -j 3 -m 4M
diff -r one/checkpoint-00000005 three/checkpoint-00000005
# as if killed after step 3: what is newer is not whole
quiet ctrain "${five[@]}" -o cut --save-every=3
rm -r cut/checkpoint-00000005
ctrain -q "${five[@]}" -o cut --resume
diff -r one/checkpoint-00000005 cut/checkpoint-00000005
# a checkpoint that is damaged is passed over
printf XXXX | dd of=cut/checkpoint-00000005/model.safetensors bs=1 seek=3000 conv=notrunc status=none
ctrain "${five[@]}" -o cut --resume 2>told
grep -q '^ctrain: passed over: cut/checkpoint-00000005/model.safetensors: .*damaged' told
grep -q 'going on from cut/checkpoint-00000004' told
diff -r one/checkpoint-00000005 cut/checkpoint-00000005
