#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "text/decodejob.h"
#include "text/encodejob.h"

#define BERT                                                                             \
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nfox\n##es\n,\n.\na\n##b\n\xe4\xbd\xa0\n"
enum { NTOKENS = 13 };

static char in_name[] = "in";
static char *const in_path[] = { in_name };

static struct tsl_tokenizer *opened(void)
{
    const struct tsl_tokenizer_opts o = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t = NULL;
    file_put_text("v", BERT);
    assert_ok(tsl_tokenizer_open(&t, "v", &o, &err), &err);
    return t;
}

static struct tsl_decodejob_opts opts(enum tsl_decode_format format)
{
    return (struct tsl_decodejob_opts){ .paths = in_path,
                                        .npaths = 1,
                                        .format = format,
                                        .frame = { .kind = TSL_FRAME_LINE },
                                        .output = "out",
                                        .memory = 64 << 20,
                                        .nthreads = 2 };
}

static struct tsl_decodejob_stats run(const struct tsl_decodejob_opts *o,
                                      const struct tsl_tokenizer *t)
{
    struct tsl_err err = { 0 };
    struct tsl_decodejob_stats st;
    unlink("out");
    assert_ok(tsl_decodejob_run(o, t, &st, &err), &err);
    return st;
}

static void refused(const struct tsl_decodejob_opts *o, const struct tsl_tokenizer *t,
                    const char *in, int code, const char *part)
{
    struct tsl_err err = { 0 };
    struct tsl_decodejob_stats st;
    unlink("out");
    file_put_text("in", in);
    assert_err(tsl_decodejob_run(o, t, &st, &err), code, &err, part);
    assert_int_equal(folder_count("."), 2); /* in and v */
}

struct rows {
    uint32_t *ids;
    size_t *ends, nrows;
    char *text; /* what they are as lines */
    size_t len;
};

/* Rows of ids, and their text from a coder that has one row at a time. */
static struct rows random_rows(const struct tsl_tokenizer *t, struct gen *g, size_t nrows,
                               size_t longest)
{
    struct rows r = { .nrows = nrows };
    struct tsl_err err = { 0 };
    struct tsl_coder *c = tsl_coder_create(t, 4 << 20, &err);
    uint8_t *text = NULL;
    size_t len = 0, cap = 0, n = 0;
    r.ids = malloc((nrows * 30 + nrows / 20 * longest + longest) * sizeof *r.ids);
    r.ends = malloc(nrows * sizeof *r.ends);
    for (size_t i = 0; i < nrows; i++) {
        size_t k = i % 20 == 3 ? longest : gen_below(g, 30), from = n;
        for (; k > 0; k--)
            r.ids[n++] = (uint32_t)gen_below(g, NTOKENS);
        assert_ok(
            tsl_coder_decode(c, r.ids + from, n - from, false, &text, &len, &cap, &err),
            &err);
        assert_ok(tsl_mem_grow(&text, &cap, len + 1, 1, "text", &err), &err);
        text[len++] = '\n';
        r.ends[i] = n;
    }
    r.text = malloc(len + 1);
    memcpy(r.text, text, len);
    r.len = len;
    tsl_mem_free(text);
    tsl_coder_destroy(c);
    return r;
}

static void rows_free(struct rows *r)
{
    free(r->ids);
    free(r->ends);
    free(r->text);
}

/* In lines of numbers, or of {"ids":[...]}. */
static void put_numbers(const struct rows *r, bool json)
{
    size_t n = r->nrows ? r->ends[r->nrows - 1] : 0, len = 0;
    char *p = malloc(4 * n + r->nrows * 20 + 1);
    for (size_t i = 0, k = 0; i < r->nrows; i++) {
        len += (size_t)sprintf(p + len, "%s", json ? "{\"ids\":[" : "");
        for (size_t from = k; k < r->ends[i]; k++)
            len += (size_t)sprintf(p + len, "%s%u",
                                   k == from ? ""
                                   : json    ? ","
                                             : " ",
                                   (unsigned)r->ids[k]);
        len += (size_t)sprintf(p + len, "%s\n", json ? "]}" : "");
    }
    file_put("in", p, len);
    free(p);
}

static void each_row_gives_the_text_it_has_alone_for_any_memory_and_threads(void **state)
{
    struct tsl_tokenizer *t = opened();
    struct gen g = { 3 };
    (void)state;
    struct rows r = random_rows(t, &g, 900, 20000);
    for (int json = 0; json < 2; json++) {
        struct tsl_decodejob_opts o = opts(json ? TSL_DECODE_JSONL : TSL_DECODE_IDS);
        put_numbers(&r, json);
        o.field = json ? "ids" : NULL;
        for (unsigned n = 1; n <= 3; n += 2) {
            o.nthreads = n;
            o.memory = n == 1 ? 300 << 20 : 64 << 20;
            struct tsl_decodejob_stats st = run(&o, t);
            assert_true(file_is("out", r.text, r.len));
            assert_int_equal(st.rows, 900);
            assert_int_equal(st.tokens, r.ends[899]);
        }
    }
    rows_free(&r);
    tsl_tokenizer_destroy(t);
}

static void a_stream_and_raw_ids_are_decoded_again(void **state)
{
    static const char text[] = "the foxes, a fox.\n\nab the ab\n";
    static const enum tsl_encode_format made[] = { TSL_ENCODE_STREAM, TSL_ENCODE_U16,
                                                   TSL_ENCODE_U32 };
    static const enum tsl_decode_format read[] = { TSL_DECODE_STREAM, TSL_DECODE_U16,
                                                   TSL_DECODE_U32 };
    struct tsl_tokenizer *t = opened();
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tsl_err err = { 0 };
        struct tsl_encodejob_stats st;
        static char text_name[] = "text";
        char *const paths[] = { text_name };
        const struct tsl_encodejob_opts e = { .paths = paths,
                                              .npaths = 1,
                                              .frame = { .kind = TSL_FRAME_LINE },
                                              .format = made[i],
                                              .output = "in",
                                              .memory = 64 << 20,
                                              .nthreads = 1 };
        struct tsl_decodejob_opts o = opts(read[i]);
        file_put_text("text", text);
        unlink("in");
        assert_ok(tsl_encodejob_run(&e, t, &st, &err), &err);
        run(&o, t);
        if (i == 0)
            assert_true(file_is_text("out", text));
        else
            assert_true(file_is_text("out", "the foxes, a fox. ab the ab\n"));
        o.row_ids = 4; /* the fox ##es , | a fox . a | ##b the a ##b */
        if (i > 0)
            run(&o, t);
        if (i > 0)
            assert_true(file_is_text("out", "the foxes,\na fox. a\n##b the ab\n"));
    }
    tsl_tokenizer_destroy(t);
}

static void what_is_wrong_is_told_with_its_line_and_leaves_nothing(void **state)
{
    struct tsl_tokenizer *t = opened();
    struct tsl_decodejob_opts o = opts(TSL_DECODE_IDS);
    (void)state;
    refused(&o, t, "5 6\n5 13\n", TSL_EFORMAT, "line 2");
    refused(&o, t, "5 6\n5 99999999999999999999\n", TSL_EFORMAT, "line 2");
    refused(&o, t, "5 x\n", TSL_EFORMAT, "line 1");
    refused(&o, t, "-1\n", TSL_EFORMAT, "line 1");
    o = opts(TSL_DECODE_JSONL);
    o.field = "ids";
    refused(&o, t, "{\"ids\":[5]}\n{\"ids\":[5,1.5]}\n", TSL_EFORMAT, "line 2");
    refused(&o, t, "{\"id\":[5]}\n", TSL_EFORMAT, "line 1");
    refused(&o, t, "{\"ids\":[5\n", TSL_EFORMAT, "line 1");
    o = opts(TSL_DECODE_U16);
    refused(&o, t, "abc", TSL_EFORMAT, "in");
    o = opts(TSL_DECODE_STREAM);
    refused(&o, t, "abc", TSL_EFORMAT, "in");
    tsl_tokenizer_destroy(t);
}

static void special_tokens_can_be_left_out(void **state)
{
    struct tsl_tokenizer *t = opened();
    struct tsl_decodejob_opts o = opts(TSL_DECODE_IDS);
    (void)state;
    file_put_text("in", "2 5 6 3\n\n2 3\n");
    run(&o, t);
    assert_true(file_is_text("out", "[CLS] the fox [SEP]\n\n[CLS] [SEP]\n"));
    o.skip_special = true;
    run(&o, t);
    assert_true(file_is_text("out", "the fox\n\n\n"));
    o.json = true;
    run(&o, t);
    assert_true(file_is_text(
        "out", "{\"text\":\"the fox\"}\n{\"text\":\"\"}\n{\"text\":\"\"}\n"));
    tsl_tokenizer_destroy(t);
}

static void any_failure_leaves_no_output(void **state)
{
    struct tsl_tokenizer *t = opened();
    struct gen g = { 4 };
    (void)state;
    struct rows r = random_rows(t, &g, 60, 3000);
    struct tsl_decodejob_opts o = opts(TSL_DECODE_IDS);
    put_numbers(&r, false);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        struct tsl_decodejob_stats st;
        unlink("out");
        fault_arm(nth, NULL);
        int rc = tsl_decodejob_run(&o, t, &st, &err);
        const char *call = fault_disarm();
        if (!call)
            break;
        assert_true(rc < 0 || fault_is_harmless(call));
        if (rc == 0)
            assert_true(file_is("out", r.text, r.len));
        assert_int_equal(folder_count("."), rc < 0 ? 2 : 3);
    }
    rows_free(&r);
    tsl_tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_row_gives_the_text_it_has_alone_for_any_memory_and_threads),
        TEST(a_stream_and_raw_ids_are_decoded_again),
        TEST(what_is_wrong_is_told_with_its_line_and_leaves_nothing),
        TEST(special_tokens_can_be_left_out),
        TEST(any_failure_leaves_no_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
