#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/spmparts.h"

struct scored {
    const char *text;
    float score;
    enum tsl_spm_type type;
};

static struct spmparts model(const struct scored *pieces)
{
    struct spmdata d = spmdata_begin(TSL_SPM_UNIGRAM, false);
    for (; pieces->text; pieces++)
        spmdata_add(&d, pieces->text, pieces->score,
                    pieces->type ? pieces->type : TSL_SPM_NORMAL);
    struct spmparts p = spmparts_start(&d);
    spmdata_end(&d);
    return p;
}

static void encode(struct spmparts *p, const uint8_t *s, size_t n, float total)
{
    struct tsl_err err = { 0 };
    p->c->nhits = 0;
    p->c->total = total;
    assert_ok(tsl_spm_unigram_encode(p->c, s, n, false, &err), &err);
}

static void gives(struct spmparts *p, const char *text, const char *want, float total)
{
    uint8_t *s = spmparts_text((const uint8_t *)text, strlen(text));
    struct tsl_err err = { 0 };
    encode(p, s, strlen(text), 0);
    spmparts_are(p, want);
    assert_true(p->c->total == total);
    p->c->nhits = 0;
    assert_ok(tsl_spm_unigram_probe(p->c, s, strlen(text), &err), &err);
    spmparts_are(p, want);
    free(s);
}

static void the_best_sum_wins_and_of_equal_ones_the_first_found(void **state)
{
    struct spmparts p = model((struct scored[]){ { "a", -1, 0 },
                                                 { "b", -1, 0 },
                                                 { "ab", -1.5F, 0 },
                                                 { "bb", -2, 0 },
                                                 { "abb", -4, 0 },
                                                 { 0 } });
    (void)state;
    gives(&p, "", "", 0);
    gives(&p, "ab", "ab", -1.5F);
    gives(&p, "abb", "ab|b", -2.5F);
    gives(&p, "bb", "bb", -2); /* reached from 0 before it is from 1 */
    gives(&p, "bba", "bb|a", -3);
    spmparts_finish(&p);
}

/* Ten below the lowest score of the pieces, one character at a time. */
static void what_no_piece_has_is_unknown(void **state)
{
    struct spmparts p =
        model((struct scored[]){ { "a", -1, 0 }, { "bc", -3, 0 }, { 0 } });
    (void)state;
    gives(&p, "a\xe4\xbd\xa0z", "a|?|?", -27);
    gives(&p, "bbc", "?|bc", -16);
    gives(&p, "b", "?", -13);
    gives(&p, "abcb", "a|bc|?", -17);
    spmparts_finish(&p);
}

static void a_user_defined_piece_gets_the_best_score_for_each_byte(void **state)
{
    struct spmparts p = model((struct scored[]){ { "a", -2, 0 },
                                                 { "b", 3, 0 },
                                                 { "ab", -50, TSL_SPM_USER_DEFINED },
                                                 { "unused", 9, TSL_SPM_UNUSED },
                                                 { 0 } });
    (void)state;
    gives(&p, "ab", "ab", 5.9F);
    gives(&p, "aab", "a|ab", -2 + 5.9F);
    gives(&p, "unused", "?|?|?|?|?|?", -72); /* never comes out */
    spmparts_finish(&p);
}

static void any_model_gives_what_the_slow_way_gives(void **state)
{
    struct gen g = { 21 };
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct spmdata d = spmparts_model(&g, TSL_SPM_UNIGRAM, true, true);
        struct spmparts p = spmparts_start(&d);
        for (int i = 0; i < 20; i++) {
            uint8_t text[4 * 60];
            struct slow_piece slow[4 * 60];
            size_t n = spmparts_random(&g, text, gen_below(&g, 60));
            size_t k = slow_unigram(p.file, text, n, p.m->unk, slow);
            uint8_t *s = spmparts_text(text, n);
            encode(&p, s, n, 0);
            spmparts_equal(p.c->hits, p.c->nhits, slow, k);
            free(s);
        }
        spmparts_finish(&p);
        spmdata_end(&d);
    }
}

/* A total of any size that is below the bound: sums are rounded, but not so far. */
static void what_was_probed_holds_as_long_as_it_says(void **state)
{
    struct gen g = { 22 };
    size_t nheld = 0, ndiffer = 0;
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct spmdata d = spmparts_model(&g, TSL_SPM_UNIGRAM, false, false);
        struct spmparts p = spmparts_start(&d);
        for (int i = 0; i < 40; i++) {
            struct tsl_err err = { 0 };
            struct tsl_spm_hit hits[SPM_SHORT];
            uint8_t text[4 * SPM_SHORT];
            size_t n = spmparts_random(&g, text, 1 + gen_below(&g, SPM_SHORT));
            n = spmparts_boundary(text, n < SPM_SHORT ? n : SPM_SHORT);
            uint8_t *s = spmparts_text(text, n);
            p.c->nhits = 0;
            int bound = tsl_spm_unigram_probe(p.c, s, n, &err);
            assert_ok(bound, &err);
            size_t k = p.c->nhits;
            if (k > 0)
                memcpy(hits, p.c->hits, k * sizeof *hits);
            for (int e = -30; e < 40; e++) {
                float total = -ldexpf((float)(1 + gen_below(&g, 1 << 20)) / (1 << 20), e);
                uint32_t bits;
                encode(&p, s, n, total);
                memcpy(&bits, &total, sizeof bits);
                bool same = p.c->nhits == k &&
                            (k == 0 || memcmp(p.c->hits, hits, k * sizeof *hits) == 0);
                bool held = (int)(bits >> 23 & 0xff) < bound;
                if (held)
                    assert_true(same);
                nheld += held;
                ndiffer += !same;
            }
            free(s);
        }
        spmparts_finish(&p);
        spmdata_end(&d);
    }
    assert_true(nheld > 1000);  /* it is of some use, */
    assert_true(ndiffer > 100); /* and needed */
}

static void a_text_in_stretches_gives_what_it_gives_whole(void **state)
{
    enum { N = 4 * 300 };
    struct gen g = { 23 };
    size_t nearly = 0;
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct spmdata d = spmparts_model(&g, TSL_SPM_UNIGRAM, true, true);
        struct spmparts p = spmparts_start(&d);
        struct tsl_err err = { 0 };
        struct tsl_spm_hit hits[N];
        uint8_t text[N];
        size_t n = spmparts_random(&g, text, gen_below(&g, 300)), k, at = 0, want = 1;
        uint8_t *s = spmparts_text(text, n);
        encode(&p, s, n, -7);
        k = p.c->nhits;
        memcpy(hits, p.c->hits, k * sizeof *hits);
        float total = p.c->total;
        free(s);
        p.c->nhits = 0;
        p.c->total = -7;
        while (at < n) {
            size_t before = p.c->nhits;
            bool open = want < n - at;
            size_t len = open ? spmparts_boundary(text + at, want) : n - at;
            s = spmparts_text(text + at, len);
            assert_ok(tsl_spm_unigram_encode(p.c, s, len, open, &err), &err);
            free(s);
            size_t used = 0;
            for (size_t i = before; i < p.c->nhits; i++)
                used += p.c->hits[i].len;
            assert_true(used <= len);
            assert_memory_equal(p.c->hits, hits, p.c->nhits * sizeof *hits);
            nearly += open && used;
            at += used;
            want = used ? 1 + gen_below(&g, 40) : 2 * want;
        }
        assert_int_equal(p.c->nhits, k);
        assert_true(p.c->total == total);
        spmparts_finish(&p);
        spmdata_end(&d);
    }
    assert_true(nearly > 500);
}

/* With a coder whose memory is its own: what grew for an earlier text does not fail. */
static int encode_anew(void *ctx, struct tsl_err *err)
{
    static const uint8_t text[] = "abxabab\xff";
    struct tsl_spm_coder c = { .m = ctx };
    int rc = tsl_spm_unigram_encode(&c, text, 7, false, err);
    if (rc == 0)
        rc = tsl_spm_unigram_encode(&c, text, 7, true, err);
    if (rc == 0)
        rc = tsl_spm_unigram_probe(&c, text, 7, err);
    tsl_mem_free(c.nodes);
    tsl_mem_free(c.hits);
    return rc < 0 ? rc : 0;
}

static int init_scores(void *ctx, struct tsl_err *err)
{
    const struct tsl_spm *like = ctx;
    struct tsl_spm m = { .file = like->file, .npieces = like->npieces, .unk = like->unk };
    int rc = tsl_spm_unigram_init(&m, err);
    tsl_mem_free(m.scores);
    tsl_mem_free(m.float_scores);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    struct spmparts p =
        model((struct scored[]){ { "a", -1, 0 }, { "ab", -3, 0 }, { 0 } });
    (void)state;
    fault_each_allocation(encode_anew, p.m);
    fault_each_allocation(init_scores, p.m);
    spmparts_finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_best_sum_wins_and_of_equal_ones_the_first_found),
        TEST(what_no_piece_has_is_unknown),
        TEST(a_user_defined_piece_gets_the_best_score_for_each_byte),
        TEST(any_model_gives_what_the_slow_way_gives),
        TEST(what_was_probed_holds_as_long_as_it_says),
        TEST(a_text_in_stretches_gives_what_it_gives_whole),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
