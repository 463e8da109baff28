. "$TESTS/cli/cshuf/check.bash"
printf '\3\0\0\0ab' >in
refuses in -- cshuf --rows u32 in
printf '\3\0\0\0abc\3\0' >in
refuses in -- cshuf --rows u32 in
printf '\377\377\377\377abc' >in
refuses in -- cshuf --rows u32 in
