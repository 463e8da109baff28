. "$TESTS/cli/cshuf/check.bash"
printf 'a,b\n1\n' >first
printf 'a,b\n2\n' >second
printf 'a,c\n3\n' >third
refuses first third header -- cshuf --header 1 first second third
refuses first third header -- cshuf --header 1 -o out first second third
[[ ! -e out ]]
