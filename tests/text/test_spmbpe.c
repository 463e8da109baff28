#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/spmparts.h"

enum { LONG = 4 * 400 };

struct scored {
    const char *text;
    float score;
    enum tsl_spm_type type;
};

static struct spmparts model(const struct scored *pieces)
{
    struct spmdata d = spmdata_begin(TSL_SPM_BPE, false);
    for (; pieces->text; pieces++)
        spmdata_add(&d, pieces->text, pieces->score,
                    pieces->type ? pieces->type : TSL_SPM_NORMAL);
    struct spmparts p = spmparts_start(&d);
    spmdata_end(&d);
    return p;
}

/* SentencePiece forgets between texts how it made a piece; so does the engine between rows. */
static void forget(struct spmparts *p)
{
    p->c->nhits = 0;
    if (p->c->unjoin)
        memset(p->c->unjoin, 0xff, p->m->npieces * sizeof *p->c->unjoin);
}

static void encode(struct spmparts *p, const uint8_t *text, size_t n)
{
    struct tsl_err err = { 0 };
    uint8_t *s = spmparts_text(text, n);
    forget(p);
    assert_ok(n ? tsl_spm_bpe_encode(p->c, s, n, &err) : 0, &err);
    free(s);
}

static void gives(struct spmparts *p, const char *text, const char *want)
{
    encode(p, (const uint8_t *)text, strlen(text));
    spmparts_are(p, want);
}

static void the_highest_score_is_joined_first_and_then_the_leftmost(void **state)
{
    struct spmparts p = model((struct scored[]){ { "a", 0, 0 },
                                                 { "b", 0, 0 },
                                                 { "c", 0, 0 },
                                                 { "ab", -2, 0 },
                                                 { "bc", -1, 0 },
                                                 { "aa", -3, 0 },
                                                 { "abc", -9, 0 },
                                                 { 0 } });
    (void)state;
    gives(&p, "ab", "ab");
    gives(&p, "abc", "abc"); /* by way of bc */
    gives(&p, "abcbc", "abc|bc");
    gives(&p, "aaa", "aa|a");
    gives(&p, "aab", "a|ab");
    gives(&p, "xabx", "?|ab|?");
    gives(&p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
          "aa|aa|aa|aa|aa|aa|aa|aa|aa|aa|aa|aa|aa|aa|aa|ab");
    spmparts_finish(&p);
}

/* It is text that is joined: no merge list says how. */
static void any_two_that_are_a_piece_together_are_joined(void **state)
{
    struct spmparts p = model((struct scored[]){ { "a", 0, 0 },
                                                 { "b", 0, 0 },
                                                 { "ab", -1, 0 },
                                                 { "ba", -2, 0 },
                                                 { "aba", -3, 0 },
                                                 { "\xe4\xbd\xa0x", -4, 0 },
                                                 { 0 } });
    (void)state;
    gives(&p, "aba", "aba");
    gives(&p, "bab", "b|ab");
    gives(&p, "baab", "ba|ab");
    gives(&p, "\xe4\xbd\xa0x",
          "\xe4\xbd\xa0x"); /* of two characters that are no pieces */
    spmparts_finish(&p);
}

static void a_user_defined_piece_stays_alone(void **state)
{
    struct spmparts p = model((struct scored[]){ { "a", 0, 0 },
                                                 { "b", 0, 0 },
                                                 { "ab", -1, TSL_SPM_USER_DEFINED },
                                                 { "abab", -1, 0 },
                                                 { "aab", -1, 0 },
                                                 { "ba", -1, 0 },
                                                 { 0 } });
    (void)state;
    gives(&p, "abab", "ab|ab");
    gives(&p, "aab", "a|ab");
    gives(&p, "bab", "b|ab");
    gives(&p, "bbaab", "b|ba|ab");
    spmparts_finish(&p);
}

static void an_unused_piece_is_taken_apart_again(void **state)
{
    struct spmparts p = model((struct scored[]){ { "a", 0, 0 },
                                                 { "b", 0, 0 },
                                                 { "c", 0, 0 },
                                                 { "ab", -1, TSL_SPM_UNUSED },
                                                 { "abc", -2, 0 },
                                                 { "abcabc", -3, TSL_SPM_UNUSED },
                                                 { 0 } });
    (void)state;
    gives(&p, "ab", "a|b");
    gives(&p, "abc", "abc");
    gives(&p, "abcabc", "abc|abc");
    gives(&p, "aabb", "a|a|b|b");
    spmparts_finish(&p);
}

static void any_model_gives_what_the_slow_way_gives(void **state)
{
    struct gen g = { 31 };
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct spmdata d = spmparts_model(&g, TSL_SPM_BPE, round & 1, round & 2);
        struct spmparts p = spmparts_start(&d);
        for (int i = 0; i < 20; i++) {
            uint8_t text[4 * 60];
            struct slow_piece slow[4 * 60];
            /* both sides of where the agenda begins */
            size_t n = spmparts_random(&g, text, gen_below(&g, i % 2 ? 12 : 60));
            size_t k = slow_bpe(p.file, text, n, p.m->unk, slow);
            encode(&p, text, n);
            spmparts_equal(p.c->hits, p.c->nhits, slow, k);
        }
        spmparts_finish(&p);
        spmdata_end(&d);
    }
}

static void a_text_in_stretches_gives_what_it_gives_whole(void **state)
{
    struct gen g = { 32 };
    size_t nstreamed = 0;
    (void)state;
    for (int round = 0; round < 80; round++) {
        struct spmdata d = spmparts_model(&g, TSL_SPM_BPE, round & 1, false);
        struct spmparts p = spmparts_start(&d);
        struct tsl_err err = { 0 };
        struct tsl_spm_hit hits[LONG];
        uint8_t text[LONG];
        size_t n = spmparts_random(&g, text, gen_below(&g, LONG / 4)), at = 0, want = 40;
        bool begins = true;
        assert_true(p.m->may_stream);
        encode(&p, text, n);
        size_t k = p.c->nhits;
        memcpy(hits, p.c->hits, k * sizeof *hits);
        forget(&p);
        while (at < n) {
            size_t before = p.c->nhits, used = 0;
            bool open = want < n - at;
            size_t len = open ? spmparts_boundary(text + at, want) : n - at;
            uint8_t *s = spmparts_text(text + at, len);
            assert_ok(tsl_spm_bpe_huge(p.c, s, len, begins, open, &err), &err);
            free(s);
            for (size_t i = before; i < p.c->nhits; i++)
                used += p.c->hits[i].len;
            assert_true(used <= len && p.c->nhits <= k);
            assert_memory_equal(p.c->hits, hits, p.c->nhits * sizeof *hits);
            nstreamed += open && used;
            at += used;
            begins = begins && used == 0;
            want = used ? 1 + gen_below(&g, 200) : 2 * want;
        }
        assert_int_equal(p.c->nhits, k);
        spmparts_finish(&p);
        spmdata_end(&d);
    }
    assert_true(nstreamed > 50);
}

static void unused_pieces_hang_on_the_whole_text(void **state)
{
    /* abc = ab c = a bc: which way it went last decides */
    struct spmparts p = model((struct scored[]){ { "a", 0, 0 },
                                                 { "b", 0, 0 },
                                                 { "c", 0, 0 },
                                                 { "ab", -1, 0 },
                                                 { "bc", -2, 0 },
                                                 { "abc", -3, TSL_SPM_UNUSED },
                                                 { 0 } });
    (void)state;
    assert_true(p.m->whole && !p.m->may_stream);
    spmparts_finish(&p);
    p = model((struct scored[]){
        { "a", 0, 0 }, { "b", 0, 0 }, { "ab", -1, TSL_SPM_UNUSED }, { 0 } });
    assert_true(!p.m->whole && !p.m->may_stream); /* one way only: rows may be cut */
    spmparts_finish(&p);
}

/* With a coder whose memory is its own: what grew for an earlier text does not fail. */
static int encode_anew(void *ctx, struct tsl_err *err)
{
    const struct tsl_spm *m = ctx;
    uint64_t unjoin[64];
    struct tsl_spm_coder c = { .m = m, .unjoin = unjoin };
    uint8_t text[200 + TSL_SPMNORM_PAD];
    memset(unjoin, 0xff, sizeof unjoin);
    for (size_t i = 0; i < 200; i++)
        text[i] = "abxab"[i % 5];
    memset(text + 200, 0xff, TSL_SPMNORM_PAD);
    int rc = tsl_spm_bpe_encode(&c, text, 10, err);
    if (rc == 0)
        rc = tsl_spm_bpe_encode(&c, text, 200, err);
    if (rc == 0 && m->may_stream)
        rc = tsl_spm_bpe_huge(&c, text, 200, true, false, err);
    tsl_longbpe_destroy(c.huge);
    tsl_mem_free(c.stack);
    tsl_mem_free(c.heap);
    tsl_mem_free(c.symbols);
    tsl_mem_free(c.hits);
    return rc;
}

static int init_merges(void *ctx, struct tsl_err *err)
{
    struct tsl_spm m = *(const struct tsl_spm *)ctx;
    struct tsl_slice texts[64];
    uint32_t ids[64];
    size_t n = 0;
    m.merges = NULL;
    for (uint32_t i = 0; i < m.npieces; i++) {
        if (m.file->pieces[i].type != TSL_SPM_NORMAL)
            continue;
        texts[n] = m.file->pieces[i].text;
        ids[n++] = i;
    }
    int rc = tsl_spm_bpe_init(&m, texts, ids, n, err);
    tsl_mem_free(m.merges);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    const struct scored plain[] = { { "a", 0, 0 },    { "b", 0, 0 },   { "ab", -1, 0 },
                                    { "aba", -2, 0 }, { "bb", -3, 0 }, { 0 } };
    const struct scored unused[] = { { "a", 0, 0 },
                                     { "b", 0, 0 },
                                     { "ab", -1, TSL_SPM_UNUSED },
                                     { "abab", -1, TSL_SPM_UNUSED },
                                     { 0 } };
    (void)state;
    struct spmparts p = model(plain);
    fault_each_allocation(encode_anew, p.m);
    fault_each_allocation(init_merges, p.m);
    spmparts_finish(&p);
    p = model(unused);
    fault_each_allocation(encode_anew, p.m);
    spmparts_finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_highest_score_is_joined_first_and_then_the_leftmost),
        TEST(any_two_that_are_a_piece_together_are_joined),
        TEST(a_user_defined_piece_stays_alone),
        TEST(an_unused_piece_is_taken_apart_again),
        TEST(any_model_gives_what_the_slow_way_gives),
        TEST(a_text_in_stretches_gives_what_it_gives_whole),
        TEST(unused_pieces_hang_on_the_whole_text),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
