#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/gendata.h"
#include "text/sentence.h"

/* text with a | in front of each sentence but the first, found in stretches of at most
 * step bytes that end between characters. */
static void split(const char *text, size_t n, size_t step, char *out)
{
    const uint8_t *p = (const uint8_t *)text;
    struct tsl_sentence s;
    size_t at = 0, to = 0;
    bool begin = true;
    tsl_sentence_init(&s);
    while (at < n) {
        size_t k = n - at < step ? n - at : step;
        while (at + k < n && (p[at + k] & 0xc0) == 0x80)
            k++;
        size_t next = tsl_sentence_next(&s, p + at, k);
        assert_true(next <= k && (next > 0 || !begin));
        memcpy(out + to, text + at, next);
        to += next;
        at += next;
        begin = next < k;
        if (begin)
            out[to++] = '|';
    }
    out[to] = '\0';
}

static void check(const char *want)
{
    char text[512] = "", got[1024];
    size_t n = 0;
    for (const char *s = want; *s; s++)
        if (*s != '|')
            text[n++] = *s;
    for (size_t step = 1; step <= n + 1; step++) {
        split(text, n, step, got);
        assert_string_equal(got, want);
    }
}

static void sentences_end_at_marks_before_white_space(void **state)
{
    (void)state;
    check("He came. |She left! |Why? |Because.");
    check("One.  \t |Two...  |Three?! |Four");
    check("\"He came.\" |(She left.) |[Why?] |So.");
    check("He said 'no.' |Then he left.");
    check("");
    check("no mark at all");
    check(".");
    check("... |A");
}

static void newlines_end_sentences(void **state)
{
    (void)state;
    check("a line\n|another\n|\xe4\xbd\xa0\r\n|last");
    check("one paragraph\n\n  |the next\n");
    check("Mr.\n|e.g.\n|small");
    check(" \n first\n|second");
}

static void chinese_marks_need_no_white_space(void **state)
{
    (void)state;
    check("你好。|我是。|再见");
    check("你好！|我是？！|再见。");
    check("他说：“你好。”|她走了。");
    check("「好。」|（对！）|是");
    check("好。　　|下一句。\n　　|再下一句");
    check("你好!|我是?|再见.|完");
    check("真的?!|是。");
    check("价格是3.5元。|好");
}

static void dots_inside_numbers_names_and_shortened_words_end_nothing(void **state)
{
    (void)state;
    check("Pi is 3.14 or so. |See example.org for more. |File a.txt, too.");
    check("Mr. Smith met Dr. J. R. Jones of the U.S. Army. |They spoke.");
    check("Prof. X came at 5 a.m. Today. |No. 5 is vs. Fig. 3.");
    check("Fruit, e.g. apples, i.e. red ones. |And so on etc. as said.");
    check("'Why?' he said. |\"Now!\" she said.");
    check("What is this?v=1&b=2! |It is.");
    check("That is John's. |Then.");
    check("She is smarter. |Prof came in a xSt. |And");
    check("It is \xc3\x84M. |B");
}

static void the_sentences_together_are_the_text(void **state)
{
    static const char *const parts[] = { ".",        "!",  "?",   "\n",  " ",  "a",
                                         "B",        "。", "！",  "\"",  "」", "　",
                                         "你",       "1",  "Mr",  "\r",  ")",  "\xff",
                                         "\xe3\x80", "é",  "...", "\xe3" };
    struct gen g = { 7 };
    char text[400] = "", got[900], want[900];
    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t n = 0;
        while (n < 300 && gen_below(&g, 60)) {
            const char *s = parts[gen_below(&g, sizeof parts / sizeof *parts)];
            memcpy(text + n, s, strlen(s));
            n += strlen(s);
        }
        split(text, n, n + 1, want);
        size_t k = 0;
        for (const char *s = want; *s; s++)
            if (*s != '|')
                assert_true(k < n && text[k++] == *s);
        assert_int_equal(k, n);
        split(text, n, 1 + gen_below(&g, 9), got);
        assert_string_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sentences_end_at_marks_before_white_space),
        TEST(newlines_end_sentences),
        TEST(chinese_marks_need_no_white_space),
        TEST(dots_inside_numbers_names_and_shortened_words_end_nothing),
        TEST(the_sentences_together_are_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
