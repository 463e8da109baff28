#include "support/test.h"

#include "prep/pack.h"
#include "support/memdocs.h"

enum { CLS = 1, SEP = 2, EOS = 3, MANY = 20000 };

static struct tsl_special_ids special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = -1,
                                     .cls = CLS,
                                     .sep = SEP,
                                     .mask = 4,
                                     .bos = -1,
                                     .eos = EOS,
                                     .vocab_size = 5000 };
}

/* All samples, one after the other, each ended by UINT32_MAX. */
struct out {
    uint32_t ids[MANY];
    size_t n, nsamples;
};

static void put_out(struct out *o, uint32_t id)
{
    assert_true(o->n < MANY);
    o->ids[o->n++] = id;
}

static void pack_all(const struct tsl_pack_opts *o, struct memdocs *m, struct out *out,
                     struct tsl_pack_stats *t)
{
    struct tsl_err err = { 0 };
    struct tsl_pack *p;
    struct tsl_sample s;
    const struct tsl_piece *pieces;
    size_t n;
    assert_ok(tsl_pack_create(&p, o, &err), &err);
    assert_ok(tsl_sample_init(&s, o->tokens_max + o->overlap, &err), &err);
    out->n = out->nsamples = 0;
    for (uint64_t d = 0; d <= m->ndocs; d++) {
        struct tsl_doc doc = { 0 };
        if (d == m->ndocs)
            tsl_pack_end(p);
        else {
            memdocs_get(m, d, 0, &doc, &err);
            assert_ok(tsl_pack_put(p, d, doc.sents, doc.nsents, &err), &err);
        }
        while (tsl_pack_next(p, &pieces, &n)) {
            assert_ok(tsl_pack_build(o, pieces, n, out->nsamples++, &m->docs, &s, &err),
                      &err);
            assert_int_equal(s.nends, n);
            assert_int_equal(s.ends[n - 1], s.n);
            for (uint32_t i = 0; i < s.n; i++)
                put_out(out, s.ids[i]);
            put_out(out, UINT32_MAX);
        }
    }
    *t = *tsl_pack_stats(p);
    tsl_sample_fini(&s);
    tsl_pack_destroy(p);
    assert_int_equal(t->samples, out->nsamples);
    assert_int_equal(t->tokens, out->n - out->nsamples);
    assert_int_equal(t->samples * (o->tokens_max + o->overlap),
                     t->tokens + t->tokens_pad);
}

/* The obvious way: one long array. */
static void stream_slowly(const struct memdocs *m, uint32_t len, uint32_t overlap,
                          bool drop_last, struct out *out)
{
    static uint32_t all[MANY];
    size_t n = 0;
    out->n = 0;
    for (size_t d = 0, i = 0; d < m->ndocs; d++) {
        size_t end = d + 1 < m->ndocs ? m->at[d + 1].token : m->ntokens;
        bool any = i < end;
        for (; i < end; i++)
            all[n++] = m->ids[i];
        if (any)
            all[n++] = EOS;
    }
    for (size_t at = 0; at + overlap < n || (at == 0 && n); at += len) {
        size_t end = at + len + overlap < n ? at + len + overlap : n;
        if (drop_last && end - at < len + overlap)
            break;
        for (size_t i = at; i < end; i++)
            put_out(out, all[i]);
        put_out(out, UINT32_MAX);
    }
}

static void streams_are_cut_where_one_long_array_would_be(void **state)
{
    (void)state;
    static struct out a, b;
    struct memdocs m;
    struct tsl_pack_stats t;
    struct tsl_special_ids ids = special();
    memdocs_init(&m);
    memdocs_make(&m, 3, 30, 9, 30, 10, 5000);
    memdocs_begin(&m); /* an empty document */
    for (uint32_t len = 3; len < 100; len += 7) {
        for (uint32_t overlap = 0; overlap < 3; overlap++) {
            struct tsl_pack_opts o = tsl_pack_gpt(&ids);
            o.tokens_max = len;
            o.overlap = overlap;
            o.drop_last = len % 2;
            pack_all(&o, &m, &a, &t);
            stream_slowly(&m, len, overlap, o.drop_last, &b);
            assert_int_equal(a.n, b.n);
            assert_memory_equal(a.ids, b.ids, a.n * sizeof *a.ids);
            assert_int_equal(t.tokens - t.tokens_repeated + t.tokens_dropped,
                             t.tokens_in);
        }
    }
    memdocs_fini(&m);
}

/* bert4keras's rule, as the tool's notes have it. */
static void sentences_slowly(const struct memdocs *m, uint32_t len, struct out *out)
{
    uint32_t n = 1;
    const uint32_t *ids = m->ids;
    out->n = 0;
    put_out(out, CLS);
    for (size_t i = 0; i < m->nsents; ids += m->sents[i++]) {
        uint32_t k = m->sents[i] < len - 2 ? m->sents[i] : len - 2;
        if (n + k > len - 1) {
            put_out(out, SEP);
            put_out(out, UINT32_MAX);
            put_out(out, CLS);
            n = 1;
        }
        for (uint32_t j = 0; j < k; j++, n++)
            put_out(out, ids[j]);
    }
    put_out(out, SEP);
    put_out(out, UINT32_MAX);
}

static void sentences_are_packed_as_by_bert4keras(void **state)
{
    (void)state;
    static struct out a, b;
    struct memdocs m;
    struct tsl_pack_stats t;
    struct tsl_special_ids ids = special();
    struct tsl_pack_opts o = tsl_pack_bert4keras(&ids);
    memdocs_init(&m);
    memdocs_make(&m, 4, 30, 9, 30, 10, 5000);
    for (uint32_t len = 4; len < 90; len += 5) {
        o.tokens_max = len;
        pack_all(&o, &m, &a, &t);
        sentences_slowly(&m, len, &b);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.ids, b.ids, a.n * sizeof *a.ids);
    }
    memdocs_fini(&m);
}

static void the_worked_example_of_bert4keras_comes_out(void **state)
{
    (void)state;
    static const uint32_t ids[] = { 11, 12, 13, 21, 22, 31, 32, 41,
                                    42, 43, 44, 45, 46, 47, 48 };
    static const uint8_t starts[15] = { 1 };
    static const uint32_t want[] = { 1,  11, 12, 13,         21, 22, 2,  UINT32_MAX, 1,
                                     31, 32, 2,  UINT32_MAX, 1,  41, 42, 43,         44,
                                     45, 46, 2,  UINT32_MAX };
    static struct out a;
    struct memdocs m;
    struct tsl_pack_stats t;
    struct tsl_special_ids sp = special();
    struct tsl_pack_opts o = tsl_pack_bert4keras(&sp);
    o.tokens_max = 8;
    memdocs_init(&m);
    memdocs_begin(&m);
    memdocs_sentence(&m, ids, starts, 3);
    memdocs_sentence(&m, ids + 3, starts, 2);
    memdocs_sentence(&m, ids + 5, starts, 2);
    memdocs_sentence(&m, ids + 7, starts, 8);
    pack_all(&o, &m, &a, &t);
    assert_int_equal(a.n, sizeof want / sizeof *want);
    assert_memory_equal(a.ids, want, sizeof want);
    assert_int_equal(t.tokens_dropped, 2);
    memdocs_fini(&m);
}

static void full_sentences_go_on_across_documents_and_doc_sentences_do_not(void **state)
{
    (void)state;
    static const uint32_t ids[] = { 11, 12, 13, 21, 22, 31, 41, 42, 51,
                                    52, 53, 54, 55, 56, 57, 58, 59 };
    static const uint8_t starts[17] = { 1 };
    static const uint32_t full[] = { 1, 11, 12, 13, 21, 22, UINT32_MAX,
                                     1, 2,  31, 2,  41, 42, UINT32_MAX,
                                     1, 51, 52, 53, 54, 55, UINT32_MAX,
                                     1, 56, 57, 58, 59, 2,  UINT32_MAX };
    static const uint32_t doc[] = { 1, 11, 12,         13, 21, 22,        UINT32_MAX,
                                    1, 31, UINT32_MAX, 1,  41, 42,        UINT32_MAX,
                                    1, 51, 52,         53, 54, 55,        UINT32_MAX,
                                    1, 56, 57,         58, 59, UINT32_MAX };
    static struct out a;
    struct memdocs m;
    struct tsl_pack_stats t;
    struct tsl_special_ids sp = special();
    struct tsl_pack_opts o = tsl_pack_roberta(&sp);
    o.tokens_max = 6;
    memdocs_init(&m);
    memdocs_begin(&m);
    memdocs_sentence(&m, ids, starts, 3);
    memdocs_sentence(&m, ids + 3, starts, 2);
    memdocs_begin(&m);
    memdocs_sentence(&m, ids + 5, starts, 1);
    memdocs_begin(&m);
    memdocs_sentence(&m, ids + 6, starts, 2);
    memdocs_sentence(&m, ids + 8, starts, 9);
    pack_all(&o, &m, &a, &t);
    assert_int_equal(a.n, sizeof full / sizeof *full);
    assert_memory_equal(a.ids, full, sizeof full);
    o.mode = TSL_PACK_DOC_SENTENCES;
    o.doc_end = -1;
    pack_all(&o, &m, &a, &t);
    assert_int_equal(a.n, sizeof doc / sizeof *doc);
    assert_memory_equal(a.ids, doc, sizeof doc);
    memdocs_fini(&m);
}

static void ends_and_positions_follow_the_documents(void **state)
{
    (void)state;
    static const uint32_t ids[] = { 11, 12, 13, 21, 22 };
    static const uint8_t starts[5] = { 1 };
    static const uint32_t positions[] = { 0, 1, 2, 3, 0, 1, 2 };
    struct tsl_err err = { 0 };
    struct tsl_special_ids sp = special();
    struct tsl_pack_opts o = tsl_pack_gpt(&sp);
    struct tsl_piece pieces[] = { { 0, 0, 4 }, { 1, 0, 3 } };
    struct tsl_sample s;
    struct memdocs m;
    o.positions = true;
    memdocs_init(&m);
    memdocs_begin(&m);
    memdocs_sentence(&m, ids, starts, 3);
    memdocs_begin(&m);
    memdocs_sentence(&m, ids + 3, starts, 2);
    assert_ok(tsl_sample_init(&s, 10, &err), &err);
    assert_ok(tsl_pack_build(&o, pieces, 2, 0, &m.docs, &s, &err), &err);
    assert_true(s.n == 7 && s.ids[3] == EOS && s.ids[6] == EOS);
    assert_true(s.nends == 2 && s.ends[0] == 4 && s.ends[1] == 7 && s.has_positions);
    assert_memory_equal(s.positions, positions, sizeof positions);
    pieces[1].len = 4;
    assert_err(tsl_pack_build(&o, pieces, 2, 0, &m.docs, &s, &err), TSL_EFORMAT, &err,
               "document 1 has 2 tokens");
    tsl_sample_fini(&s);
    memdocs_fini(&m);
}

static void options_that_leave_no_room_are_refused(void **state)
{
    (void)state;
    struct tsl_pack *p;
    struct tsl_err err = { 0 };
    struct tsl_special_ids sp = special();
    struct tsl_pack_opts o = tsl_pack_bert4keras(&sp);
    o.tokens_max = 2;
    assert_err(tsl_pack_create(&p, &o, &err), TSL_EUSAGE, &err, "samples of 2");
    o.tokens_max = 100;
    o.overlap = 1;
    assert_err(tsl_pack_create(&p, &o, &err), TSL_EUSAGE, &err, "overlap of 1");
    o = tsl_pack_gpt(&sp);
    o.tokens_max = o.overlap = 8;
    assert_err(tsl_pack_create(&p, &o, &err), TSL_EUSAGE, &err, "overlap of 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_are_cut_where_one_long_array_would_be),
        TEST(sentences_are_packed_as_by_bert4keras),
        TEST(the_worked_example_of_bert4keras_comes_out),
        TEST(full_sentences_go_on_across_documents_and_doc_sentences_do_not),
        TEST(ends_and_positions_follow_the_documents),
        TEST(options_that_leave_no_room_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
