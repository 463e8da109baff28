#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/quote.h"
#include "support/gendata.h"

static void plain_names_stay(void **state)
{
    static const char *const plain[] = {
        "a",     "out.txt", "/data/x-1_2/part-00000.zst",
        "a,b+c", "a:b@c%d", "\xe4\xb8\xad\xe6\x96\x87.txt"
    };
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_string_equal(tsl_quote(plain[i]).s, plain[i]);
}

static void odd_names_are_quoted(void **state)
{
    (void)state;
    assert_string_equal(tsl_quote("a b").s, "'a b'");
    assert_string_equal(tsl_quote("").s, "''");
    assert_string_equal(tsl_quote("$HOME").s, "'$HOME'");
    assert_string_equal(tsl_quote("a\tb").s, "$'a\\011b'");
    assert_string_equal(tsl_quote("it's").s, "$'it\\'s'");
    assert_string_equal(tsl_quote("a\\b").s, "'a\\b'");
    assert_string_equal(tsl_quote("\x1b[2J").s, "$'\\033[2J'");
    assert_string_equal(tsl_quote("a\nb\\c").s, "$'a\\012b\\\\c'");
}

static void no_name_drives_the_terminal(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        char name[] = { 'a', (char)c, 'b', '\0' };
        struct tsl_quoted q = tsl_quote(name);
        for (const unsigned char *p = (unsigned char *)q.s; *p; p++)
            assert_true(*p >= 0x20 && *p != 0x7f);
    }
}

/* C1: U+009B is "ESC [" to a terminal that takes it, as UTF-8 or as a byte of its own. */
static void no_name_drives_the_terminal_by_c1_either(void **state)
{
    (void)state;
    assert_null(strchr(tsl_quote("a\xc2\x9b"
                                 "2J")
                           .s,
                       (char)0x9b));
    assert_null(strchr(tsl_quote("a\x9b"
                                 "2J")
                           .s,
                       (char)0x9b));
}

static void long_names_are_cut_and_told(void **state)
{
    (void)state;
    char name[1200];
    static const char kinds[] = "a \t'";
    for (const char *c = kinds; *c; c++)
        for (size_t n = 1; n < 600; n++) {
            memset(name, *c, n);
            name[n] = '\0';
            struct tsl_quoted q = tsl_quote(name);
            size_t len = strnlen(q.s, sizeof q.s);
            assert_true(len < sizeof q.s);
            if (n > 256)
                assert_non_null(strstr(q.s, "..."));
            if (n < 50)
                assert_null(strstr(q.s, "..."));
        }
}

/* bash reads back what was quoted, whatever it was. */
static void the_shell_takes_the_quoted_for_the_name(void **state)
{
    struct gen g = { 1 };
    char name[41], command[600], got[64];
    (void)state;
    if (system("bash -c : 2>&1") != 0)
        skip();
    for (int i = 0; i < 60; i++) {
        size_t n = 1 + gen_below(&g, 12);
        for (size_t k = 0; k < n; k++)
            name[k] = (char)(1 + gen_below(&g, 126));
        name[n] = '\0';
        FILE *f = fopen("script", "w");
        assert_non_null(f);
        /* a leading ~ or # stands for itself behind "x" */
        fprintf(f, "printf '%%s|' x%s\n", tsl_quote(name).s);
        fclose(f);
        snprintf(command, sizeof command, "bash script");
        f = popen(command, "r");
        assert_non_null(f);
        size_t len = fread(got, 1, sizeof got - 1, f);
        assert_int_equal(pclose(f), 0);
        got[len] = '\0';
        if (len != n + 2 || memcmp(got + 1, name, n) != 0)
            print_error("%s\n", tsl_quote(name).s);
        assert_int_equal(len, n + 2);
        assert_memory_equal(got + 1, name, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_names_stay),
        TEST(odd_names_are_quoted),
        TEST(no_name_drives_the_terminal),
        TEST(no_name_drives_the_terminal_by_c1_either),
        TEST(long_names_are_cut_and_told),
        TEST(the_shell_takes_the_quoted_for_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
