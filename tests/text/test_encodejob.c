#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/tokstream.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "support/hfdata.h"
#include "text/encodejob.h"

#define BERT                                                                             \
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nfox\n##es\n,\n.\na\n##b\n\xe4\xbd\xa0\n"

static struct tsl_tokenizer *opened(const char *path)
{
    const struct tsl_tokenizer_opts o = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t = NULL;
    assert_ok(tsl_tokenizer_open(&t, path, &o, &err), &err);
    return t;
}

static struct tsl_encodejob_opts opts(char *const *paths, size_t n,
                                      enum tsl_encode_format format)
{
    return (struct tsl_encodejob_opts){ .paths = paths,
                                        .npaths = n,
                                        .frame = { .kind = TSL_FRAME_LINE },
                                        .format = format,
                                        .output = "out",
                                        .memory = 64 << 20,
                                        .nthreads = 2 };
}

static struct tsl_encodejob_stats run(const struct tsl_encodejob_opts *o,
                                      const struct tsl_tokenizer *t)
{
    struct tsl_err err = { 0 };
    struct tsl_encodejob_stats st;
    unlink("out");
    assert_ok(tsl_encodejob_run(o, t, &st, &err), &err);
    return st;
}

/* Lines of the vocabulary's words and others; one in 50 is long. */
static void put_texts(const char *name, struct gen *g, size_t nlines, size_t longest)
{
    static const char *const parts[] = {
        "the", "fox", "foxes",        " ",    ", ", ". ",
        "ab",  "x",   "\xe4\xbd\xa0", "\xff", " a", "\t"
    };
    uint8_t *p = malloc(nlines * 200 + (nlines / 50 + 2) * (longest + 10));
    size_t n = 0;
    for (size_t i = 0; i < nlines; i++) {
        size_t most = i % 50 == 7 ? longest : gen_below(g, 80), begin = n;
        while (n - begin < most) {
            const char *s = parts[gen_below(g, sizeof parts / sizeof *parts)];
            memcpy(p + n, s, strlen(s));
            n += strlen(s);
        }
        p[n++] = '\n';
    }
    file_put(name, p, n - (nlines & 1)); /* the last end may be missing */
    free(p);
}

/* A row at a time by one coder: what ids of a line each must be. */
static size_t slow_ids(const struct tsl_tokenizer *t, const char *name, bool specials,
                       char **out)
{
    struct tsl_err err = { 0 };
    size_t n, len = 0;
    uint8_t *text = file_get(name, &n);
    struct tsl_coder *c = tsl_coder_create(t, 4 << 20, &err);
    struct tsl_tokens tok, all;
    char *o = malloc(12 * n + 100);
    tsl_tokens_init(&tok, 0);
    tsl_tokens_init(&all, 0);
    for (size_t at = 0; at < n;) {
        const uint8_t *end = memchr(text + at, '\n', n - at);
        size_t k = end ? (size_t)(end - text) - at : n - at, used;
        tsl_tokens_reset(&tok);
        tsl_tokens_reset(&all);
        assert_ok(tsl_coder_encode(c, (struct tsl_slice){ text + at, k }, true, true,
                                   &used, &tok, &err),
                  &err);
        if (specials)
            assert_ok(tsl_coder_wrap(c, &tok, NULL, &all, NULL, NULL, &err), &err);
        const struct tsl_tokens *r = specials ? &all : &tok;
        for (size_t i = 0; i < r->n; i++)
            len += (size_t)sprintf(o + len, "%s%u", i ? " " : "", (unsigned)r->ids[i]);
        o[len++] = '\n';
        at += k + 1;
    }
    free(text);
    tsl_tokens_fini(&tok);
    tsl_tokens_fini(&all);
    tsl_coder_destroy(c);
    *out = o;
    return len;
}

static void each_row_gives_the_ids_it_has_alone(void **state)
{
    static char name[] = "in";
    char *const paths[] = { name };
    struct gen g = { 6 };
    (void)state;
    file_put_text("v", BERT);
    put_texts("in", &g, 3001, 3000);
    struct tsl_tokenizer *t = opened("v");
    for (int specials = 0; specials < 2; specials++) {
        struct tsl_encodejob_opts o = opts(paths, 1, TSL_ENCODE_IDS);
        char *want;
        size_t n = slow_ids(t, "in", specials, &want);
        o.specials = specials;
        struct tsl_encodejob_stats st = run(&o, t);
        assert_true(file_is("out", want, n));
        assert_int_equal(st.rows, 3001);
        assert_int_equal(st.bytes_out, n);
        free(want);
    }
    tsl_tokenizer_destroy(t);
}

static void output_is_the_same_for_any_memory_and_threads(void **state)
{
    static const enum tsl_encode_format formats[] = { TSL_ENCODE_IDS, TSL_ENCODE_JSONL,
                                                      TSL_ENCODE_STREAM, TSL_ENCODE_U16,
                                                      TSL_ENCODE_U32 };
    static char name[] = "in";
    char *const paths[] = { name };
    struct gen g = { 9 };
    (void)state;
    file_put_text("v", BERT);
    put_texts("in", &g, 120, 300000); /* several longer than the smallest batch */
    struct tsl_tokenizer *t = opened("v");
    for (size_t f = 0; f < 5; f++)
        for (int how = 0; how < 4; how++) {
            struct tsl_encodejob_opts o = opts(paths, 1, formats[f]);
            o.sentences = how & 1;
            o.specials = how & 2;
            o.memory = 200 << 20;
            o.nthreads = 1;
            struct tsl_encodejob_stats big = run(&o, t);
            size_t n;
            uint8_t *want = file_get("out", &n);
            o.memory = 34 << 20;
            o.nthreads = 3;
            struct tsl_encodejob_stats small = run(&o, t);
            assert_true(small.plan.batch_bytes < big.plan.batch_bytes);
            assert_true(file_is("out", want, n));
            assert_true(small.rows == big.rows && small.tokens == big.tokens &&
                        small.sentences == big.sentences && small.bytes == big.bytes &&
                        small.unknown == big.unknown && small.invalid == big.invalid &&
                        small.longest == big.longest);
            assert_memory_equal(small.lengths, big.lengths, sizeof big.lengths);
            free(want);
        }
    tsl_tokenizer_destroy(t);
}

static void a_row_that_is_wrong_is_named_and_nothing_is_left(void **state)
{
    static char name[] = "in";
    char *const paths[] = { name };
    struct tsl_encodejob_opts o = opts(paths, 1, TSL_ENCODE_IDS);
    struct tsl_encodejob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("v", BERT);
    struct tsl_tokenizer *t = opened("v");
    file_put_text("in", "{\"text\":\"the fox\"}\n{\"text\":1}\n{\"te\n");
    o.field = "text";
    assert_err(tsl_encodejob_run(&o, t, &st, &err), TSL_EFORMAT, &err, "in: line 2");
    o.field = NULL;
    o.pair = o.specials = true;
    file_put_text("in", "the\tfox\nfox\n");
    assert_err(tsl_encodejob_run(&o, t, &st, &err), TSL_EFORMAT, &err, "in: line 2");
    assert_int_equal(folder_count("."), 2);
    tsl_tokenizer_destroy(t);
}

static void ids_that_have_no_room_are_refused_up_front(void **state)
{
    static char name[] = "none";
    char *const paths[] = { name };
    struct tsl_encodejob_opts o = opts(paths, 1, TSL_ENCODE_U16);
    struct tsl_encodejob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("v",
                  HF(HF_BLANKS, "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{"
                                "\"?\":0,\"a\":65536}}"));
    struct tsl_tokenizer *t = opened("v");
    assert_err(tsl_encodejob_run(&o, t, &st, &err), TSL_EUSAGE, &err, "65536");
    o.format = TSL_ENCODE_IDS;
    o.memory = 1 << 20;
    assert_err(tsl_encodejob_run(&o, t, &st, &err), TSL_EUSAGE, &err, "too little");
    o.memory = 64 << 20;
    assert_err(tsl_encodejob_run(&o, t, &st, &err), TSL_EIO, &err, "none");
    assert_int_equal(folder_count("."), 1);
    tsl_tokenizer_destroy(t);
}

static void any_failure_leaves_no_output(void **state)
{
    static char name[] = "in";
    char *const paths[] = { name };
    struct gen g = { 5 };
    (void)state;
    file_put_text("v", BERT);
    put_texts("in", &g, 60, 70000); /* one is longer than a batch */
    struct tsl_tokenizer *t = opened("v");
    for (int stream = 0; stream < 2; stream++) {
        struct tsl_encodejob_opts o =
            opts(paths, 1, stream ? TSL_ENCODE_STREAM : TSL_ENCODE_JSONL);
        o.memory = 48 << 20;
        o.specials = true;
        o.codec = stream ? TSL_CODEC_NONE : TSL_CODEC_ZSTD;
        struct tsl_encodejob_stats st = run(&o, t);
        size_t n;
        uint8_t *want = file_get("out", &n);
        for (unsigned nth = 1;; nth = fault_next(nth)) {
            struct tsl_err err = { 0 };
            unlink("out");
            fault_arm(nth, NULL);
            int rc = tsl_encodejob_run(&o, t, &st, &err);
            const char *call = fault_disarm();
            if (!call)
                break;
            assert_true(rc < 0 || fault_is_harmless(call));
            if (rc == 0)
                assert_true(file_is("out", want, n));
            assert_int_equal(folder_count("."), rc < 0 ? 2 : 3);
        }
        free(want);
    }
    tsl_tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_row_gives_the_ids_it_has_alone),
        TEST(output_is_the_same_for_any_memory_and_threads),
        TEST(a_row_that_is_wrong_is_named_and_nothing_is_left),
        TEST(ids_that_have_no_room_are_refused_up_front),
        TEST(any_failure_leaves_no_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
