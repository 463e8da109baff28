#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "record/record.h"
#include "support/gendata.h"
#include "train/docwindows.h"

enum { DOCS = 23, SEP = 9999 };

struct docs {
    uint32_t *ids[DOCS], n[DOCS];
};

/* Documents of 0 to 40 tokens, ids of 16 bits or more. */
static void make(struct docs *d, uint64_t seed, uint32_t most_id)
{
    struct gen g = { seed };
    for (unsigned i = 0; i < DOCS; i++) {
        d->n[i] = i == 3 ? 0 : i == 5 ? 1 : (uint32_t)gen_below(&g, 41);
        d->ids[i] = malloc(4 * (size_t)d->n[i] + 4);
        for (uint32_t k = 0; k < d->n[i]; k++)
            d->ids[i][k] = (uint32_t)gen_below(&g, most_id);
    }
}

static void drop(struct docs *d)
{
    for (unsigned i = 0; i < DOCS; i++)
        free(d->ids[i]);
}

static const char *write(const struct docs *d, const char *format, char *path, size_t cap)
{
    struct tsl_rechead head = { .first = 0 };
    struct tsl_recwriter_opts o = { .format = format };
    struct tsl_recwriter *w;
    struct tsl_err err = { 0 };
    const struct tsl_recfile *files;
    size_t n;
    assert_ok(tsl_schema_add(&head.schema, "ids", TSL_U32, true, 0, NULL, &err), &err);
    assert_ok(tsl_recwriter_create(&w, &head, &o, &err), &err);
    assert_ok(tsl_recwriter_begin(w, format, &err), &err);
    for (unsigned i = 0; i < DOCS; i++) {
        struct tsl_value v = { d->ids[i], NULL, d->n[i] };
        struct tsl_record rec = { i, &v };
        assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
    }
    assert_ok(tsl_recwriter_end(w, &err), &err);
    assert_ok(tsl_recwriter_commit(w, &files, &n, &err), &err);
    snprintf(path, cap, "%s", files[0].name);
    tsl_recwriter_destroy(w);
    return path;
}

/* The windows as three nested loops make them: tokens, and which document each is of. */
struct slow {
    uint32_t ids[DOCS * 64], doc[DOCS * 64];
    uint32_t at[DOCS * 64], n[DOCS * 64]; /* of each window */
    size_t nwindows, ntokens;
};

static void cut_stream(struct slow *s, size_t from, size_t to, uint32_t most)
{
    for (; to - from > 1; from += most) {
        size_t n = to - from < most + 1 ? to - from : most + 1;
        s->at[s->nwindows] = (uint32_t)from;
        s->n[s->nwindows++] = (uint32_t)n;
        if (from + most >= to)
            return;
    }
}

static void cut(struct slow *s, const struct docs *d, const struct tsl_docwindows_opts *o)
{
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < DOCS; i++) {
        size_t from = s->ntokens;
        for (uint32_t k = 0; k < d->n[i] + (o->doc_end >= 0); k++, s->ntokens++) {
            s->ids[s->ntokens] = k < d->n[i] ? d->ids[i][k] : (uint32_t)o->doc_end;
            s->doc[s->ntokens] = i;
        }
        if (o->within)
            cut_stream(s, from, s->ntokens, o->tokens_max);
    }
    if (!o->within)
        cut_stream(s, 0, s->ntokens, o->tokens_max);
}

static void check(const struct docs *d, const char *path, const char *format,
                  struct tsl_docwindows_opts o)
{
    struct tsl_recreader_opts ro = { .format = format };
    struct tsl_recreader *r;
    struct tsl_trainfields f;
    struct tsl_docwindows *w;
    struct tsl_sample sample;
    struct tsl_err err = { 0 };
    struct slow *s = malloc(sizeof *s);
    cut(s, d, &o);
    assert_ok(tsl_sample_init(&sample, 1, &err), &err);
    assert_ok(tsl_recreader_open(&r, path, &ro, &err), &err);
    assert_ok(tsl_trainfields_find(&f, &tsl_recreader_head(r)->schema, path, &err), &err);
    assert_true(f.ids_only);
    assert_ok(tsl_docwindows_open(&w, r, &f, path, &o, &err), &err);
    assert_int_equal(tsl_docwindows_resident(w), o.memory > 100);
    assert_int_equal(tsl_docwindows_count(w), s->nwindows);
    assert_int_equal(tsl_docwindows_tokens(w), s->ntokens);
    for (size_t k = 0; k < s->nwindows; k++) {
        size_t i = k * 7 % s->nwindows; /* in some order */
        assert_ok(tsl_docwindows_get(w, i, &sample, &err), &err);
        assert_int_equal(sample.n, s->n[i]);
        assert_memory_equal(sample.ids, s->ids + s->at[i], 4 * (size_t)s->n[i]);
        uint32_t end = 0;
        for (uint32_t t = 0; t < sample.n && sample.nends; t++) {
            bool ends =
                t + 1 == sample.n || s->doc[s->at[i] + t] != s->doc[s->at[i] + t + 1];
            if (ends)
                assert_int_equal(sample.ends[end++], t + 1);
        }
        assert_int_equal(end, sample.nends);
        if (o.within || o.no_documents)
            assert_int_equal(sample.nends, 0);
    }
    tsl_docwindows_destroy(w);
    tsl_recreader_destroy(r);
    tsl_sample_fini(&sample);
    free(s);
}

static void windows_are_what_plain_loops_cut(void **state)
{
    static const char *const formats[] = { "native", "megatron", "datatrove" };
    static const uint32_t sizes[] = { 1, 2, 7, 40, 1000 };
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        struct docs d;
        char path[64];
        make(&d, 1 + wide, wide ? 100000 : 50000);
        for (unsigned k = 0; k < 3; k++) {
            write(&d, formats[k], path, sizeof path);
            for (unsigned i = 0; i < 5 * 8; i++)
                check(&d, path, NULL,
                      (struct tsl_docwindows_opts){ .tokens_max = sizes[i % 5],
                                                    .within = i / 5 & 1,
                                                    .doc_end = i / 10 & 1 ? SEP : -1,
                                                    .memory = i / 20 ? 1 << 20 : 100 });
        }
        drop(&d);
    }
}

static void a_stream_has_no_documents(void **state)
{
    static const char *const formats[] = { "u16", "u32", "llmc" };
    struct docs d;
    char path[64];
    (void)state;
    make(&d, 3, 60000);
    for (unsigned k = 0; k < 3; k++) {
        write(&d, formats[k], path, sizeof path);
        for (unsigned i = 0; i < 4; i++)
            check(&d, path, formats[k],
                  (struct tsl_docwindows_opts){ .tokens_max = i & 1 ? 5 : 16,
                                                .no_documents = true,
                                                .doc_end = -1,
                                                .memory = i / 2 ? 1 << 20 : 100 });
    }
    drop(&d);
}

/* More than one piece of 65536 tokens. */
static void a_long_stream_is_picked_without_being_read(void **state)
{
    enum { N = 3 * 65536 + 777, T = 100 };
    static uint16_t ids[N];
    struct tsl_recreader_opts ro = { .format = "u16" };
    struct tsl_docwindows_opts o = { .tokens_max = T,
                                     .no_documents = true,
                                     .doc_end = -1 };
    struct tsl_recreader *r;
    struct tsl_trainfields f;
    struct tsl_docwindows *w;
    struct tsl_sample s;
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < N; i++)
        ids[i] = (uint16_t)(i * 2654435761u >> 16);
    file_put("a.bin", ids, sizeof ids);
    assert_ok(tsl_sample_init(&s, 1, &err), &err);
    for (unsigned small = 0; small < 2; small++) {
        o.memory = small ? 1000 : 1 << 20;
        assert_ok(tsl_recreader_open(&r, "a.bin", &ro, &err), &err);
        assert_ok(tsl_trainfields_find(&f, &tsl_recreader_head(r)->schema, "a", &err),
                  &err);
        assert_ok(tsl_docwindows_open(&w, r, &f, "a", &o, &err), &err);
        assert_int_equal(tsl_docwindows_resident(w), !small);
        assert_int_equal(tsl_docwindows_count(w), (N - 1 + T - 1) / T);
        for (uint64_t i = tsl_docwindows_count(w); i-- > 0;) {
            assert_ok(tsl_docwindows_get(w, i, &s, &err), &err);
            assert_int_equal(s.n, i * T + T + 1 < N ? T + 1 : N - i * T);
            assert_int_equal(s.nends, 0);
            for (uint32_t k = 0; k < s.n; k++)
                assert_int_equal(s.ids[k], ids[i * T + k]);
        }
        tsl_docwindows_destroy(w);
        tsl_recreader_destroy(r);
    }
    tsl_sample_fini(&s);
}

static void what_cannot_be_picked_must_fit(void **state)
{
    struct docs d;
    char path[64];
    struct tsl_recreader_opts ro = { .format = NULL };
    struct tsl_docwindows_opts o = { .tokens_max = 4, .doc_end = -1, .memory = 100 };
    struct tsl_recreader *r;
    struct tsl_trainfields f;
    struct tsl_docwindows *w;
    struct tsl_err err = { 0 };
    (void)state;
    make(&d, 3, 100);
    write(&d, "jsonl", path, sizeof path);
    assert_ok(tsl_recreader_open(&r, path, &ro, &err), &err);
    assert_ok(tsl_trainfields_find(&f, &tsl_recreader_head(r)->schema, path, &err), &err);
    assert_err(tsl_docwindows_open(&w, r, &f, path, &o, &err), TSL_EUSAGE, &err,
               "convert it with cshard");
    tsl_recreader_destroy(r);
    drop(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(windows_are_what_plain_loops_cut),
        TEST(a_stream_has_no_documents),
        TEST(a_long_stream_is_picked_without_being_read),
        TEST(what_cannot_be_picked_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
