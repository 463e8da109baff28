/* Files of text to counts, against words split off by hand. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/gendata.h"
#include "text/countfile.h"
#include "text/countjob.h"

static const char *const temp[] = { "temp" };
static char *const in_path[] = { "in" };

static struct tsl_countjob_opts defaults(const struct tsl_wordcut *cut)
{
    (void)mkdir("temp", 0700);
    return (struct tsl_countjob_opts){ .paths = in_path,
                                       .npaths = 1,
                                       .cut = cut,
                                       .memory = 64 << 20,
                                       .nthreads = 2,
                                       .dirs = temp,
                                       .ndirs = 1 };
}

static struct tsl_wordcut by_words(void)
{
    struct tsl_wordcut cut;
    struct tsl_err err = { 0 };
    struct tsl_bertnorm norm = { TSL_RULES_HF, true, true, true, true };
    assert_ok(tsl_wordcut_bert(&cut, &norm, &err), &err);
    return cut;
}

/* Lines of words "wNNN" in capitals or not, one of each number below n as often as count
 * says; long lines now and then. */
static char *make_text(size_t bytes, uint64_t *count, size_t n, size_t longest,
                       size_t *len)
{
    struct gen g = { 7 };
    char *p = malloc(bytes + 64), *q = p;
    size_t line = 0;
    while ((size_t)(q - p) < bytes) {
        size_t k = gen_below(&g, n);
        k = gen_below(&g, 3) ? k % 97 : k;
        count[k]++;
        q += sprintf(q, gen_below(&g, 2) ? "W%zu" : "w%zu", k);
        *q++ = line-- == 0 ? '\n' : ' ';
        if (q[-1] == '\n')
            line = gen_below(&g, 50) ? gen_below(&g, 20) : gen_below(&g, longest);
    }
    *q++ = '\n';
    *len = (size_t)(q - p);
    return p;
}

static void check_counts(struct tsl_wordcount *wc, const uint64_t *count, size_t n)
{
    struct tsl_err err = { 0 };
    struct tsl_slice w;
    uint64_t c, words = 0, total = 0, sum = 0;
    char text[32];
    int rc;
    while ((rc = tsl_wordcount_next(wc, &w, &c, &err)) == 1) {
        assert_true(w.len > 1 && w.len < sizeof text && w.data[0] == 'w');
        memcpy(text, w.data, w.len);
        text[w.len] = '\0';
        size_t k = (size_t)strtoul(text + 1, NULL, 10);
        assert_true(k < n);
        assert_true(c == count[k]);
        words++;
        sum += c;
    }
    assert_ok(rc, &err);
    for (size_t k = 0; k < n; k++) {
        words -= count[k] > 0;
        total += count[k];
    }
    assert_true(words == 0);
    assert_true(total == sum);
}

enum { WORDS = 50000 };

static void counts_depend_on_the_text_alone(void **state)
{
    uint64_t *count = calloc(WORDS, sizeof *count);
    size_t len, lines = 0, runs = 0;
    char *text = make_text(3000000, count, WORDS, 60000, &len);
    struct tsl_wordcut cut = by_words();
    (void)state;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    file_put("in", text, len);
    for (unsigned threads = 1; threads <= 4; threads += threads == 1 ? 1 : 2)
        for (size_t memory = 9 << 20; memory <= 90 << 20; memory *= 10) {
            struct tsl_countjob_opts o = defaults(&cut);
            struct tsl_countjob_stats st;
            struct tsl_wordcount *wc;
            struct tsl_err err = { 0 };
            o.memory = memory;
            o.nthreads = threads;
            assert_ok(tsl_countjob_run(&o, &wc, &st, &err), &err);
            assert_int_equal(st.rows, lines);
            assert_int_equal(st.bytes, len - lines);
            runs += tsl_wordcount_stats(wc).runs;
            check_counts(wc, count, WORDS);
            tsl_wordcount_destroy(wc);
        }
    assert_true(runs > 0);
    assert_true(folder_is_empty("temp"));
    tsl_wordcut_fini(&cut);
    free(text);
    free(count);
}

static void a_row_may_be_longer_than_the_memory(void **state)
{
    uint64_t *count = calloc(WORDS, sizeof *count);
    size_t len;
    char *text = make_text(20000000, count, WORDS, 60000, &len);
    struct tsl_wordcut cut = by_words();
    struct tsl_countjob_opts o = defaults(&cut);
    struct tsl_countjob_stats st;
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\n')
            text[i] = '\t';
    file_put("in", text, len);
    o.memory = 12 << 20;
    assert_ok(tsl_countjob_run(&o, &wc, &st, &err), &err);
    assert_int_equal(st.rows, 1);
    assert_int_equal(st.bytes, len);
    check_counts(wc, count, WORDS);
    tsl_wordcount_destroy(wc);
    tsl_wordcut_fini(&cut);
    free(text);
    free(count);
}

static void expect_words(const struct tsl_countjob_opts *o, const char *want)
{
    struct tsl_countjob_stats st;
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    struct tsl_slice w;
    uint64_t c;
    char got[1000] = "", *q = got;
    assert_ok(tsl_countjob_run(o, &wc, &st, &err), &err);
    while (tsl_wordcount_next(wc, &w, &c, &err) == 1) {
        for (size_t i = 0; i < w.len; i++)
            *q++ = w.data[i] == '\n' ? '$' : (char)w.data[i];
        q += sprintf(q, ":%u|", (unsigned)c);
    }
    assert_string_equal(got, want);
    tsl_wordcount_destroy(wc);
}

static void a_field_of_json_lines_is_counted(void **state)
{
    struct tsl_wordcut cut = by_words();
    struct tsl_countjob_opts o = defaults(&cut);
    (void)state;
    file_put_text("in", "{\"a\":\"x\",\"text\":\"One two\\u0020One\"}\n"
                        "{\"text\":\"\",\"b\":[1,2]}\n{\"text\":\"two.\"}\n");
    o.field = "text";
    expect_words(&o, ".:1|one:2|two:2|");
    tsl_wordcut_fini(&cut);
}

static void a_line_may_keep_its_end(void **state)
{
    struct tsl_wordcut cut;
    struct tsl_wordcut_bytes_opts bo = { TSL_SPLITPAT_GPT2, false, false };
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_wordcut_bytes(&cut, &bo, &err), &err);
    struct tsl_countjob_opts o = defaults(&cut);
    file_put_text("in", "one two\none\n\n");
    expect_words(&o, " two:1|one:2|");
    tsl_wordcut_keep_line_ends(&cut);
    expect_words(&o, "$:3| two:1|one:2|");
    tsl_wordcut_fini(&cut);
}

static void a_bad_row_is_named(void **state)
{
    struct tsl_wordcut cut = by_words();
    struct tsl_countjob_opts o = defaults(&cut);
    struct tsl_countjob_stats st;
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    (void)state;
    o.field = "text";
    file_put_text("in", "{\"text\":\"a\"}\n{\"text\":\"a\"}\n{\"txt\":\"a\"}\n");
    assert_err(tsl_countjob_run(&o, &wc, &st, &err), TSL_EFORMAT, &err,
               "in: line 3: there is no field text");
    file_put_text("in", "{\"text\":\"a\"}\n{\"text\":5}\n{\"txt\":\"a\"}\n");
    assert_err(tsl_countjob_run(&o, &wc, &st, &err), TSL_EFORMAT, &err,
               "in: line 2: the field text is no string");
    file_put_text("in", "{\"text\":\"a\"\n");
    assert_err(tsl_countjob_run(&o, &wc, &st, &err), TSL_EFORMAT, &err,
               "in: line 1, column");
    tsl_wordcut_fini(&cut);
}

static void too_little_memory_is_told(void **state)
{
    struct tsl_wordcut cut = by_words();
    struct tsl_countjob_opts o = defaults(&cut);
    struct tsl_countjob_plan p;
    struct tsl_err err = { 0 };
    (void)state;
    o.memory = 4 << 20;
    assert_err(tsl_countjob_plan(&o, &p, &err), TSL_EUSAGE, &err, "too little");
    o.nthreads = 100;
    o.memory = 64 << 20;
    assert_ok(tsl_countjob_plan(&o, &p, &err), &err);
    assert_true(p.nthreads > 1 && p.nthreads < 100);
    tsl_wordcut_fini(&cut);
}

static void counts_of_parts_add_up(void **state)
{
    uint64_t *count = calloc(WORDS, sizeof *count);
    size_t len;
    char *text = make_text(1000000, count, WORDS, 60000, &len);
    char *files[] = { "a.counts", "b.counts.zst" };
    struct tsl_wordcut cut = by_words();
    struct tsl_countfile_head head = { .made_by = "a test" };
    (void)state;
    strcpy(head.cut, cut.describe);
    size_t half = len / 2;
    while (text[half - 1] != '\n')
        half++;
    for (int i = 0; i < 2; i++) {
        struct tsl_countjob_opts o = defaults(&cut);
        struct tsl_countjob_stats st;
        struct tsl_wordcount *wc;
        struct tsl_err err = { 0 };
        struct tsl_sink_opts so = { i ? TSL_CODEC_ZSTD : TSL_CODEC_NONE, 0, NULL, 1 };
        file_put("in", i ? text + half : text, i ? len - half : half);
        assert_ok(tsl_countjob_run(&o, &wc, &st, &err), &err);
        assert_ok(tsl_countfile_write(files[i], &so, &head, wc, 1, NULL, &err), &err);
        tsl_wordcount_destroy(wc);
    }
    struct tsl_countjob_opts o = defaults(&cut);
    struct tsl_countjob_stats st;
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    o.counts = files;
    for (int with_text = 0; with_text < 2; with_text++) {
        o.npaths = (size_t)with_text;
        o.ncounts = 2 - (size_t)with_text; /* "in" is the second part still */
        assert_ok(tsl_countjob_run(&o, &wc, &st, &err), &err);
        check_counts(wc, count, WORDS);
        tsl_wordcount_destroy(wc);
    }
    struct tsl_wordcut other;
    struct tsl_bertnorm cased = { TSL_RULES_HF, true, true, false, false };
    assert_ok(tsl_wordcut_bert(&other, &cased, &err), &err);
    o.cut = &other;
    assert_err(tsl_countjob_run(&o, &wc, &st, &err), TSL_EUSAGE, &err, "lowercase=0");
    tsl_wordcut_fini(&cut);
    tsl_wordcut_fini(&other);
    free(text);
    free(count);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    uint64_t *count = calloc(WORDS, sizeof *count);
    size_t len;
    char *text = make_text(600000, count, WORDS, 100000, &len);
    struct tsl_wordcut cut = by_words();
    (void)state;
    file_put("in", text, len);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_countjob_opts o = defaults(&cut);
        struct tsl_countjob_stats st;
        struct tsl_wordcount *wc = NULL;
        struct tsl_err err = { 0 };
        o.memory = 9 << 20;
        o.nthreads = 1;
        fault_arm(nth, NULL);
        int rc = tsl_countjob_run(&o, &wc, &st, &err);
        const char *call = fault_disarm();
        if (rc < 0)
            assert_int_equal(rc, err.code);
        else
            assert_true(!call || fault_is_harmless(call) || strcmp(call, "mmap") == 0);
        if (rc == 0)
            check_counts(wc, count, WORDS);
        tsl_wordcount_destroy(wc);
        assert_true(folder_is_empty("temp"));
        if (!call)
            break;
    }
    tsl_wordcut_fini(&cut);
    free(text);
    free(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_depend_on_the_text_alone),
        TEST(a_row_may_be_longer_than_the_memory),
        TEST(a_field_of_json_lines_is_counted),
        TEST(a_line_may_keep_its_end),
        TEST(a_bad_row_is_named),
        TEST(too_little_memory_is_told),
        TEST(counts_of_parts_add_up),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
