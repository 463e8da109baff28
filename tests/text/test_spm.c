#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/slowspm.h"
#include "support/spmdata.h"
#include "support/stretches.h"
#include "text/spm.h"

static struct tsl_spm *model_of(struct tsl_tokfile_spm *file)
{
    struct tsl_err err = { 0 };
    struct tsl_spm *m = NULL;
    assert_ok(tsl_spm_create(&m, file, &err), &err);
    return m;
}

static void *coder_of(const struct tsl_spm *m)
{
    struct tsl_err err = { 0 };
    void *c = tsl_spm_engine.coder_create(m, 4 << 20, &err);
    assert_non_null(c);
    return c;
}

static void any_model_gives_what_the_slow_way_gives_however_a_row_is_cut(void **state)
{
    struct gen g = { 41 };
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct spmdata d = spmdata_random(&g);
        struct tsl_spm *m = model_of(spmdata_file(&d));
        void *coder = coder_of(m);
        for (int i = 0; i < 12; i++) {
            struct tsl_slice text = spmdata_text(&g, gen_below(&g, 60));
            struct tsl_tokens slow, fast;
            tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
            slow_spm(tsl_spm_file(m), text, &slow);
            for (unsigned k = 0; k < 4; k++) {
                tsl_tokens_init(&fast, k % 2 ? TSL_WANT_SPANS | TSL_WANT_MARKS : 0);
                encode_stretches(&tsl_spm_engine, coder, text,
                                 k < 2 ? 0 : 1 + gen_below(&g, 50), &g, &fast);
                assert_true(spmdata_equal(&slow, &fast));
                tsl_tokens_fini(&fast);
            }
            tsl_tokens_fini(&slow);
            free((void *)(uintptr_t)text.data);
        }
        tsl_spm_engine.coder_destroy(coder);
        tsl_spm_destroy(m);
        spmdata_end(&d);
    }
}

/* a, b, ab and a control piece; blanks as ▁. */
static struct tsl_spm *small(enum tsl_spm_algorithm how, bool fallback)
{
    struct spmdata d = spmdata_begin(how, fallback);
    spmdata_add(&d, "a", -2, TSL_SPM_NORMAL);
    spmdata_add(&d, "b", -2, TSL_SPM_NORMAL);
    spmdata_add(&d, "ab", -1, TSL_SPM_NORMAL);
    spmdata_add(&d, "\xe2\x96\x81", -3, TSL_SPM_NORMAL);
    struct tsl_spm *m = model_of(spmdata_file(&d));
    spmdata_end(&d);
    return m;
}

static int64_t id_of(const struct tsl_spm *m, const char *piece)
{
    const struct tsl_tokfile_spm *f = tsl_spm_file(m);
    for (size_t i = 0; i < f->npieces; i++)
        if (f->pieces[i].text.len == strlen(piece) &&
            memcmp(f->pieces[i].text.data, piece, strlen(piece)) == 0)
            return (int64_t)i;
    return -1;
}

static void what_is_decoded_is_the_text_again(void **state)
{
    static const enum tsl_spm_algorithm hows[] = { TSL_SPM_UNIGRAM, TSL_SPM_BPE };
    static const char *const texts[] = { "ab a b", "bbab", "",
                                         ("a \xe4\xb8\xad"
                                          "b") };
    (void)state;
    for (size_t h = 0; h < 2; h++) {
        struct tsl_spm *m = small(hows[h], true);
        void *coder = coder_of(m);
        for (size_t i = 0; i < 4; i++) {
            struct tsl_err err = { 0 };
            struct tsl_tokens t;
            uint8_t *text = NULL;
            size_t used, len = 0, cap = 0;
            tsl_tokens_init(&t, 0);
            assert_ok(tsl_spm_engine.encode(coder, spmdata_str(texts[i]), true, true,
                                            &used, &t, &err),
                      &err);
            assert_ok(tsl_spm_decode(m, t.ids, t.n, &text, &len, &cap, &err), &err);
            assert_int_equal(len, strlen(texts[i]));
            if (len)
                assert_memory_equal(text, texts[i], len);
            tsl_mem_free(text);
            tsl_tokens_fini(&t);
        }
        tsl_spm_engine.coder_destroy(coder);
        tsl_spm_destroy(m);
    }
}

static void an_id_out_of_range_is_named(void **state)
{
    struct tsl_spm *m = small(TSL_SPM_BPE, false);
    struct tsl_err err = { 0 };
    uint8_t *text = NULL;
    size_t len = 0, cap = 0;
    const uint32_t ids[] = { (uint32_t)id_of(m, "ab"), 4711 };
    (void)state;
    assert_err(tsl_spm_decode(m, ids, 2, &text, &len, &cap, &err), TSL_EFORMAT, &err,
               "4711");
    tsl_mem_free(text);
    tsl_spm_destroy(m);
}

static void one_ill_formed_byte_is_one_invalid_character(void **state)
{
    struct tsl_spm *m = small(TSL_SPM_UNIGRAM, false);
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    size_t used;
    void *coder = coder_of(m);
    (void)state;
    tsl_tokens_init(&t, 0);
    assert_ok(tsl_spm_engine.encode(coder,
                                    spmdata_str("a\xff\xe4\xb8"
                                                "b"),
                                    true, true, &used, &t, &err),
              &err);
    assert_int_equal(used, 5);
    assert_int_equal(tsl_spm_coder_invalid(coder), 3);
    tsl_tokens_fini(&t);
    tsl_spm_engine.coder_destroy(coder);
    tsl_spm_destroy(m);
}

static void a_row_without_a_blank_takes_time_in_proportion(void **state)
{
    static const enum tsl_spm_algorithm hows[] = { TSL_SPM_UNIGRAM, TSL_SPM_BPE };
    enum { N = 300000 };
    uint8_t *text = malloc(N);
    (void)state;
    for (size_t i = 0; i < N; i++)
        text[i] = i & 1 ? 'b' : 'a';
    for (size_t h = 0; h < 2; h++) {
        struct tsl_spm *m = small(hows[h], false);
        struct tsl_err err = { 0 };
        struct tsl_tokens t;
        size_t used;
        void *coder = coder_of(m);
        tsl_tokens_init(&t, TSL_WANT_SPANS);
        assert_ok(tsl_spm_engine.encode(coder, (struct tsl_slice){ text, N }, true, true,
                                        &used, &t, &err),
                  &err);
        assert_int_equal(t.n, N / 2 + 1);
        assert_int_equal(t.ids[1], id_of(m, "ab"));
        assert_true(t.begin[N / 4] == 2 * (N / 4 - 1) && t.end[N / 2] == N);
        tsl_tokens_fini(&t);
        tsl_spm_engine.coder_destroy(coder);
        tsl_spm_destroy(m);
    }
    free(text);
}

static void any_failed_allocation_is_reported(void **state)
{
    struct spmdata d = spmdata_begin(TSL_SPM_UNIGRAM, false);
    spmdata_add(&d, "ab", -1, TSL_SPM_NORMAL);
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_tokfile_spm *file = spmdata_file(&d);
        struct tsl_spm *m = NULL;
        struct tsl_tokens t;
        uint8_t *text = NULL;
        size_t used, len = 0, cap = 0;
        void *coder = NULL;
        tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
        fault_arm(nth, "calloc realloc mmap");
        int rc = tsl_spm_create(&m, file, &err);
        if (rc == 0) {
            coder = tsl_spm_engine.coder_create(m, 4 << 20, &err);
            rc = coder ? tsl_spm_engine.encode(coder, spmdata_str("ab  xa"), true, true,
                                               &used, &t, &err)
                       : TSL_ENOMEM;
        }
        if (rc == 0)
            rc = tsl_spm_decode(m, t.ids, t.n, &text, &len, &cap, &err);
        const char *call = fault_disarm();
        assert_int_equal(rc, call ? TSL_ENOMEM : 0);
        assert_int_equal(err.code, rc);
        tsl_mem_free(text);
        tsl_tokens_fini(&t);
        tsl_spm_engine.coder_destroy(coder);
        if (m)
            tsl_spm_destroy(m);
        if (!call)
            break;
    }
    spmdata_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_model_gives_what_the_slow_way_gives_however_a_row_is_cut),
        TEST(what_is_decoded_is_the_text_again),
        TEST(an_id_out_of_range_is_named),
        TEST(one_ill_formed_byte_is_one_invalid_character),
        TEST(a_row_without_a_blank_takes_time_in_proportion),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
