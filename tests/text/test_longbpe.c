#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/gendata.h"
#include "text/bytebpecore.h"
#include "text/longbpe.h"

enum { TOKENS_MAX = 320, PIECE = 60000, LONGEST = 24 };

/* A vocabulary of all bytes and tokens over few letters, as ranks; most of them are not what
 * their own bytes come down to. */
struct fixture {
    struct tsl_vocab *vocab;
    struct tsl_bytebpecore *core;
    struct tsl_trie trie;
    struct tsl_bytebpe_scratch scratch;
    struct tsl_longbpe *l;
    uint32_t *ids;
    size_t n, nmerges;
};

static int64_t merge(void *ctx, const uint8_t *p, size_t n, size_t *first,
                     struct tsl_err *err)
{
    struct fixture *f = ctx;
    uint32_t ids[4 * LONGEST];
    assert_true(n <= sizeof ids / sizeof *ids);
    f->nmerges++;
    int64_t k =
        tsl_bytebpecore_merge(f->core, &f->scratch, (struct tsl_slice){ p, n }, ids, err);
    *first = tsl_vocab_token(f->vocab, ids[0]).len;
    return k;
}

static int put(void *ctx, const uint8_t *p, const struct tsl_longbpe_token *tokens,
               size_t n, struct tsl_err *err)
{
    struct fixture *f = ctx;
    (void)err;
    for (size_t i = 0; i < n; p += tokens[i++].len) {
        struct tsl_slice t = tsl_vocab_token(f->vocab, tokens[i].id);
        assert_int_equal(t.len, tokens[i].len);
        assert_memory_equal(t.data, p, t.len);
        f->ids[f->n++] = tokens[i].id;
    }
    return 0;
}

static void start(struct fixture *f, struct gen *g)
{
    struct tsl_err err = { 0 };
    struct tsl_slice keys[TOKENS_MAX];
    *f = (struct fixture){ .vocab = tsl_vocab_create(&err),
                           .scratch.max_bytes = SIZE_MAX };
    for (uint32_t id = 0; id < TOKENS_MAX; id++) {
        uint8_t t[LONGEST];
        size_t n = id < 256 ? 1 : 2 + gen_below(g, gen_below(g, 4) ? 4 : LONGEST - 1);
        for (size_t i = 0; i < n; i++)
            t[i] = id < 256 ? (uint8_t)id : "aaab\xc3\xa9"[gen_below(g, 6)];
        struct tsl_slice s = { t, n };
        while (id >= 256 && tsl_vocab_find(f->vocab, s) >= 0)
            t[gen_below(g, n)] = (uint8_t)('a' + gen_below(g, 9));
        assert_ok(tsl_vocab_add(f->vocab, id, s, &err), &err);
    }
    for (uint32_t id = 0; id < TOKENS_MAX; id++)
        keys[id] = tsl_vocab_token(f->vocab, id);
    f->core = tsl_bytebpecore_create(f->vocab, NULL, 0, NULL, &err);
    assert_non_null(f->core);
    assert_ok(tsl_trie_build(&f->trie, keys, NULL, TOKENS_MAX, &err), &err);
    struct tsl_longbpe_opts o = {
        .trie = &f->trie, .longest = LONGEST, .merge = merge, .put = put, .ctx = f
    };
    f->l = tsl_longbpe_create(&o, &err);
    assert_non_null(f->l);
    f->ids = malloc(PIECE * sizeof *f->ids);
}

static void finish(struct fixture *f)
{
    tsl_longbpe_destroy(f->l);
    tsl_trie_fini(&f->trie);
    tsl_bytebpecore_destroy(f->core);
    tsl_bytebpe_scratch_fini(&f->scratch);
    tsl_vocab_destroy(f->vocab);
    free(f->ids);
}

static void a_piece_in_stretches_gives_what_merging_it_whole_gives(void **state)
{
    struct gen g = { 12 };
    uint8_t *p = malloc(PIECE);
    uint32_t *whole = malloc(PIECE * sizeof *whole);
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct fixture f;
        struct tsl_err err = { 0 };
        start(&f, &g);
        for (size_t i = 0, letters = 1 + gen_below(&g, 4); i + 1 < PIECE;) {
            uint64_t k = gen_below(&g, letters);
            p[i++] = k < 3 ? (uint8_t)("aba"[k]) : 0xc3;
            if (k == 3)
                p[i++] = 0xa9;
            p[PIECE - 1] = 'a';
        }
        int64_t n = tsl_bytebpecore_merge(f.core, &f.scratch,
                                          (struct tsl_slice){ p, PIECE }, whole, &err);
        assert_true(n > 0);
        size_t at = 0, len = 0, used;
        tsl_longbpe_begin(f.l);
        while (at < PIECE) {
            len += 1 + gen_below(&g, 30000);
            len = len < PIECE - at ? len : PIECE - at;
            bool open = at + len < PIECE;
            size_t before = f.n;
            tsl_longbpe_save(f.l);
            assert_ok(tsl_longbpe_run(f.l, p + at, len, open, &used, &err), &err);
            if (gen_below(&g, 4) == 0) { /* once more */
                f.n = before;
                tsl_longbpe_restore(f.l);
                assert_ok(tsl_longbpe_run(f.l, p + at, len, open, &used, &err), &err);
            }
            assert_true(open ? (p[at + used] & 0xc0) != 0x80 : used == len);
            at += used;
            len -= used;
        }
        assert_int_equal(f.n, n);
        assert_memory_equal(f.ids, whole, f.n * sizeof *whole);
        finish(&f);
    }
    free(p);
    free(whole);
}

/* Answers are remembered, and no stretch is done again but its end. */
static void a_million_letters_take_few_merges_and_leave_little(void **state)
{
    struct gen g = { 3 };
    struct fixture f;
    struct tsl_err err = { 0 };
    uint8_t *p = malloc(PIECE);
    size_t used;
    (void)state;
    start(&f, &g);
    memset(p, 'a', PIECE);
    tsl_longbpe_begin(f.l);
    for (size_t done = 0; done < 1000000; done += used) {
        f.n = 0;
        assert_ok(tsl_longbpe_run(f.l, p, PIECE, true, &used, &err), &err);
        assert_true(used > PIECE / 2);
    }
    assert_true(f.nmerges < 20000);
    free(p);
    finish(&f);
}

static void any_failed_allocation_is_reported(void **state)
{
    struct gen g = { 5 };
    struct fixture f;
    (void)state;
    start(&f, &g);
    struct tsl_longbpe_opts o = {
        .trie = &f.trie, .longest = LONGEST, .merge = merge, .put = put, .ctx = &f
    };
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        size_t used;
        int rc = TSL_ENOMEM;
        fault_arm(nth, "calloc realloc mmap");
        struct tsl_longbpe *l = tsl_longbpe_create(&o, &err);
        if (l)
            rc = tsl_longbpe_run(l, (const uint8_t *)"abaab", 5, false, &used, &err);
        const char *call = fault_disarm();
        if (!call || !fault_is_harmless(call))
            assert_int_equal(rc, call ? TSL_ENOMEM : 0);
        assert_int_equal(err.code, rc);
        tsl_longbpe_destroy(l);
        if (!call)
            break;
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_in_stretches_gives_what_merging_it_whole_gives),
        cmocka_unit_test(a_million_letters_take_few_merges_and_leave_little),
        cmocka_unit_test(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
