#include "support/test.h"

#include <string.h>

#include "base/html.h"
#include "support/fault.h"

static void texts_of_strangers_are_escaped(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_html h = { 0 };
    char s[32];
    (void)state;
    tsl_html_add(&h, "<b>%d</b>", 7);
    tsl_html_text(&h, "<i a=\"1\">&\t\n");
    tsl_html_bytes(&h, "xyz", 1);
    assert_ok(tsl_html_end(&h, &err), &err);
    const char *want = "<b>7</b>&lt;i a=&quot;1&quot;&gt;&amp; \nx";
    assert_int_equal(h.len, strlen(want));
    assert_memory_equal(h.text, want, h.len);
    tsl_html_fini(&h);
    assert_string_equal(tsl_html_grouped(s, 0), "0");
    assert_string_equal(tsl_html_grouped(s, 999), "999");
    assert_string_equal(tsl_html_grouped(s, 1234567), "1,234,567");
}

static int fill(void *ctx, struct tsl_err *err)
{
    struct tsl_html h = { 0 };
    (void)ctx;
    for (int i = 0; i < 1000; i++)
        tsl_html_add(&h, "<p>%d", i);
    int rc = tsl_html_end(&h, err);
    tsl_html_fini(&h);
    return rc;
}

static void no_memory_is_told_at_the_end(void **state)
{
    (void)state;
    fault_each_allocation(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(texts_of_strangers_are_escaped),
        TEST(no_memory_is_told_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
