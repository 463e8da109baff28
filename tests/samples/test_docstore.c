#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples/docstore.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "support/memdocs.h"

static char *paths[] = { "a", "b" };

/* Two files of documents: streams, or JSON of the same. */
static void write_files(const struct memdocs *m, uint32_t vocab_size, bool jsonl)
{
    for (int f = 0; f < 2; f++) {
        struct tsl_tokstream_head h = { .vocab_size = vocab_size, .sentences = true };
        struct tsl_sink_opts so = { .nthreads = 1 };
        struct tsl_tokstream_writer *w;
        struct tsl_sink sink;
        struct tsl_err err = { 0 };
        FILE *text = jsonl ? fopen(paths[f], "w") : NULL;
        if (!jsonl) {
            assert_ok(tsl_sink_open(&sink, paths[f], false, &so, &err), &err);
            assert_ok(tsl_tokstream_writer_create(&w, &sink, &h, 0, &err), &err);
        }
        uint64_t half = m->docs.ndocs / 2;
        for (uint64_t d = f ? half : 0; d < (f ? m->docs.ndocs : half); d++) {
            struct tsl_doc doc;
            assert_ok(m->docs.get(m->docs.ctx, d, 0, &doc, NULL), NULL);
            if (jsonl)
                fputc('[', text);
            size_t t = 0;
            for (size_t s = 0; s < doc.nsents; t += doc.sents[s++]) {
                if (!jsonl) {
                    assert_ok(tsl_tokstream_writer_put(w, doc.ids + t, doc.starts + t,
                                                       doc.sents[s], &err),
                              &err);
                    tsl_tokstream_writer_end_sentence(w);
                    continue;
                }
                for (uint32_t i = 0; i < doc.sents[s]; i++)
                    fprintf(text, "%s%u", i ? ", " : s ? ",[" : "[", doc.ids[t + i]);
                fputc(']', text);
            }
            if (jsonl)
                fputs(d % 3 ? "]\n" : "]\n\n[]\n", text);
            else
                assert_ok(tsl_tokstream_writer_end_document(w, &err), &err);
        }
        if (jsonl) {
            fclose(text);
            continue;
        }
        assert_ok(tsl_tokstream_writer_finish(w, &err), &err);
        tsl_tokstream_writer_destroy(w);
        assert_ok(tsl_sink_done(&sink, &err), &err);
        assert_ok(tsl_sink_commit(&sink, &err), &err);
        tsl_sink_close(&sink);
    }
}

/* All of the store, in an order of no sense, is m; starts: also where words start. */
static void store_is(const struct tsl_docstore *s, const struct memdocs *m, bool starts)
{
    struct tsl_docview *v;
    struct tsl_err err = { 0 };
    struct gen g = { 9 };
    assert_ok(tsl_docview_create(&v, tsl_docstore_source(s), &err), &err);
    const struct tsl_docs *docs = tsl_docview_docs(v);
    assert_int_equal(docs->ndocs, m->docs.ndocs);
    for (uint64_t k = 0; k < 2 * docs->ndocs; k++) {
        struct tsl_doc a, b, want;
        const uint32_t *sents;
        size_t nsents;
        uint32_t ntokens;
        uint64_t i = k < docs->ndocs ? k : gen_below(&g, docs->ndocs);
        assert_ok(m->docs.get(m->docs.ctx, i, 0, &want, NULL), NULL);
        assert_ok(docs->get(docs->ctx, i, 0, &a, &err), &err);
        /* the other slot leaves it alone */
        assert_ok(docs->get(docs->ctx, gen_below(&g, docs->ndocs), 1, &b, &err), &err);
        assert_int_equal(a.nsents, want.nsents);
        assert_int_equal(a.ntokens, want.ntokens);
        assert_memory_equal(a.sents, want.sents, 4 * want.nsents);
        assert_memory_equal(a.ids, want.ids, 4 * want.ntokens);
        for (size_t t = 0; starts && t < want.ntokens; t++)
            assert_int_equal(a.starts[t], want.starts[t]);
        /* a part of the same */
        size_t at = gen_below(&g, want.ntokens + 3), len = gen_below(&g, 20);
        assert_ok(tsl_docview_lengths(v, i, &sents, &nsents, &ntokens, &err), &err);
        assert_int_equal(ntokens, want.ntokens);
        assert_memory_equal(sents, want.sents, 4 * want.nsents);
        assert_ok(docs->part(docs->ctx, i, 0, at, len, &a, &err), &err);
        for (size_t t = at; t < at + len && t < want.ntokens; t++) {
            assert_int_equal(a.ids[t], want.ids[t]);
            assert_true(!starts || a.starts[t] == want.starts[t]);
        }
    }
    tsl_docview_destroy(v);
}

static void documents_come_back_from_memory_and_from_a_temporary_file(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool jsonl = i & 1, wide = i & 2, small = i & 4;
        struct memdocs m;
        struct tsl_docstore *s;
        struct tsl_err err = { 0 };
        uint32_t vocab = wide ? 100000 : 5000;
        memdocs_init(&m);
        memdocs_make(&m, (uint64_t)i, 150, 6, 30, 5, vocab);
        write_files(&m, vocab, jsonl);
        struct tsl_docstore_opts o = { .in = { .paths = paths,
                                               .npaths = 2,
                                               .jsonl = jsonl,
                                               .vocab_size = jsonl ? vocab : 0,
                                               .memory = 1 << 20 },
                                       .memory = small ? 4096 : 64 << 20,
                                       .temp_dir = "." };
        assert_ok(tsl_docstore_open(&s, &o, &err), &err);
        struct tsl_docread_counts n = tsl_docstore_counts(s);
        assert_int_equal(tsl_docstore_place(s), !jsonl  ? TSL_DOCSTORE_MAPPED
                                                : small ? TSL_DOCSTORE_TEMP
                                                        : TSL_DOCSTORE_MEMORY);
        assert_int_equal(n.ndocs, 150);
        assert_int_equal(n.ntokens, m.ntokens);
        assert_int_equal(n.nsents, m.nsents);
        assert_int_equal(n.empty, jsonl ? 50 : 0);
        assert_int_equal(folder_count("."), 2); /* what is temporary has no name */
        store_is(s, &m, !jsonl);
        tsl_docstore_destroy(s);
        memdocs_fini(&m);
    }
}

static void lines_that_are_no_documents_are_told_with_their_number(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x",       "[[1,2]",  "[[1,2]]]", "[[1],2]", "[[-1]]",
        "[[1.5]]", "[[100]]", "{}",       "[[1,]]",  "[[18446744073709551617]]"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_docstore *s;
        struct tsl_err err = { 0 };
        char text[64];
        struct tsl_docstore_opts o = { .in = { .paths = paths,
                                               .npaths = 1,
                                               .jsonl = true,
                                               .vocab_size = 100,
                                               .memory = 1 << 20 },
                                       .memory = 1 << 20,
                                       .temp_dir = "." };
        snprintf(text, sizeof text, "[[1,99]]\n[]\n%s\n", bad[i]);
        file_put_text("a", text);
        assert_err(tsl_docstore_open(&s, &o, &err), TSL_EFORMAT, &err, "3");
    }
}

static struct tsl_docstore_opts failing;

static int open_it(void *ctx, struct tsl_err *err)
{
    struct tsl_docstore *s;
    (void)ctx;
    int rc = tsl_docstore_open(&s, &failing, err);
    if (rc == 0)
        tsl_docstore_destroy(s);
    return rc;
}

static void a_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct memdocs m;
    struct tsl_err err = { 0 };
    memdocs_init(&m);
    memdocs_make(&m, 3, 150, 6, 30, 5, 5000);
    write_files(&m, 5000, false);
    memdocs_fini(&m);
    failing = (struct tsl_docstore_opts){ .in = { .paths = paths, .npaths = 2 },
                                          .memory = 4096,
                                          .temp_dir = "." };
    for (unsigned nth = 1;; nth++) {
        fault_arm(nth, "calloc realloc write open");
        int rc = open_it(NULL, &err);
        const char *call = fault_disarm();
        if (!call)
            break;
        assert_true(rc == 0 ? fault_is_harmless(call) : err.code == rc);
        assert_int_equal(folder_count("."), 2);
        err = (struct tsl_err){ 0 };
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_come_back_from_memory_and_from_a_temporary_file),
        TEST(lines_that_are_no_documents_are_told_with_their_number),
        TEST(a_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
