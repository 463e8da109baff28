#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "record/tokstream.h"
#include "support/fault.h"
#include "support/gendata.h"

/* Documents as plain arrays. */
struct docs {
    uint32_t ids[1 << 20];
    uint8_t marks[1 << 20];
    uint32_t sents[1 << 18],
        docs[1 << 17]; /* tokens of a sentence, sentences of a document */
    size_t ntokens, nsents, ndocs;
};

static struct docs in;

static struct tsl_tokstream_head head_of(uint32_t vocab_size)
{
    struct tsl_tokstream_head h = { .vocab_size = vocab_size,
                                    .sentences = true,
                                    .specials = { 0, 1, -1, 3, 4, -1, -1 },
                                    .vocab_id = "0123456789abcdef0123456789abcdef",
                                    .tokenizer = "bert",
                                    .options = "--rules=hf \"quoted\"",
                                    .made_by = "a test" };
    return h;
}

/* kind 0: documents of all small sizes; 1: some far longer than a block; 2: empty ones and
 * those of one token. */
static void make(uint64_t seed, int kind, size_t ntokens, uint32_t vocab_size)
{
    struct gen g = { seed };
    in.ntokens = in.nsents = in.ndocs = 0;
    while (in.ntokens < ntokens) {
        size_t nsents = kind == 2 ? gen_below(&g, 2) : gen_below(&g, 9), k;
        if (kind == 1 && gen_below(&g, 3) == 0)
            nsents = 3000;
        in.docs[in.ndocs++] = (uint32_t)nsents;
        for (size_t s = 0; s < nsents; s++) {
            k = kind == 2 ? 1 : 1 + gen_below(&g, 60);
            if (kind == 1 && gen_below(&g, 500) == 0)
                k = 150000;
            if (in.ntokens + k > ntokens + 1000)
                k = 1;
            in.sents[in.nsents++] = (uint32_t)k;
            for (size_t i = 0; i < k; i++) {
                in.ids[in.ntokens] = (uint32_t)gen_below(&g, vocab_size);
                in.marks[in.ntokens++] = (uint8_t)gen_below(&g, 8);
            }
        }
    }
}

static int write_docs(const char *path, uint32_t vocab_size, int level, uint64_t cut_seed,
                      struct tsl_err *err)
{
    struct tsl_tokstream_writer *w = NULL;
    struct tsl_sink sink;
    struct tsl_sink_opts so = { tsl_codec_by_name(path), 0, NULL, 1 };
    struct tsl_tokstream_head h = head_of(vocab_size);
    struct gen g = { cut_seed };
    int rc = tsl_sink_open(&sink, path, false, &so, err);
    if (rc < 0)
        return rc;
    rc = tsl_tokstream_writer_create(&w, &sink, &h, level, err);
    size_t t = 0, s = 0;
    for (size_t d = 0; d < in.ndocs && rc == 0; d++) {
        for (size_t i = 0; i < in.docs[d] && rc == 0; i++, s++) {
            for (size_t left = in.sents[s]; left && rc == 0;) {
                size_t k = cut_seed ? 1 + gen_below(&g, 5000) : left;
                k = k < left ? k : left;
                rc = tsl_tokstream_writer_put(w, in.ids + t, in.marks + t, k, err);
                t += k;
                left -= k;
            }
            tsl_tokstream_writer_end_sentence(w);
        }
        if (rc == 0)
            rc = tsl_tokstream_writer_end_document(w, err);
    }
    if (rc == 0)
        rc = tsl_tokstream_writer_finish(w, err);
    if (rc == 0) {
        struct tsl_tokstream_counts n = tsl_tokstream_writer_counts(w);
        assert_int_equal(n.ndocs, in.ndocs);
        assert_int_equal(n.nsents, in.nsents);
        assert_int_equal(n.ntokens, in.ntokens);
        rc = tsl_sink_done(&sink, err);
    }
    if (rc == 0)
        rc = tsl_sink_commit(&sink, err);
    tsl_tokstream_writer_destroy(w);
    tsl_sink_close(&sink);
    return rc;
}

static void check_doc(const struct tsl_tokstream_doc *d, size_t number, size_t s,
                      size_t t)
{
    assert_int_equal(d->number, number);
    assert_true(d->first && d->last && !d->continues && !d->goes_on);
    assert_int_equal(d->nsents, in.docs[number]);
    size_t n = 0;
    for (size_t i = 0; i < d->nsents; i++) {
        assert_int_equal(d->sents[i], in.sents[s + i]);
        n += d->sents[i];
    }
    assert_int_equal(d->ntokens, n);
    if (n)
        assert_memory_equal(d->ids, in.ids + t, n * sizeof *d->ids);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(d->starts[i], in.marks[t + i] & 1);
}

static void read_and_check(const char *path)
{
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc d;
    struct tsl_err err = { 0 };
    size_t s = 0, t = 0;
    assert_ok(tsl_tokstream_reader_open(&r, path, &err), &err);
    for (size_t i = 0; i < in.ndocs; i++) {
        assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 1);
        check_doc(&d, i, s, t);
        s += d.nsents;
        t += d.ntokens;
    }
    assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 0);
    assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 0);
    tsl_tokstream_reader_destroy(r);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int wide = 0; wide < 2; wide++) {
            struct tsl_err err = { 0 };
            uint32_t size = wide ? 65537 : 65536;
            make(5 + (unsigned)kind, kind, kind == 2 ? 60000 : 700000, size);
            assert_ok(write_docs("plain", size, 0, 0, &err), &err);
            read_and_check("plain");
            assert_ok(write_docs("packed", size, 3, 0, &err), &err);
            read_and_check("packed");
            assert_ok(write_docs("whole.zst", size, 0, 0, &err), &err);
            read_and_check("whole.zst");
        }
}

static void bytes_do_not_depend_on_how_tokens_are_put(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        make(11, kind, kind == 2 ? 60000 : 400000, 30000);
        assert_ok(write_docs("one", 30000, 0, 0, &err), &err);
        assert_ok(write_docs("two", 30000, 0, 3, &err), &err);
        size_t n, m;
        uint8_t *a = file_get("one", &n), *b = file_get("two", &m);
        assert_true(n == m && memcmp(a, b, n) == 0);
        free(a);
        free(b);
    }
}

static void the_head_says_what_was_given(void **state)
{
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc d;
    struct tsl_err err = { 0 };
    struct tsl_tokstream_head h = head_of(70000);
    (void)state;
    in.ndocs = in.nsents = in.ntokens = 0;
    assert_ok(write_docs("x", 70000, 0, 0, &err), &err);
    assert_ok(tsl_tokstream_reader_open(&r, "x", &err), &err);
    const struct tsl_tokstream_head *got = tsl_tokstream_reader_head(r);
    assert_int_equal(got->vocab_size, 70000);
    assert_int_equal(got->id_bytes, 4);
    assert_true(got->sentences);
    assert_memory_equal(&got->specials, &h.specials, sizeof h.specials);
    assert_string_equal(got->vocab_id, h.vocab_id);
    assert_string_equal(got->tokenizer, h.tokenizer);
    assert_string_equal(got->options, h.options);
    assert_string_equal(got->made_by, h.made_by);
    assert_int_equal(tsl_tokstream_reader_next(r, 1, &d, &err), 0);
    tsl_tokstream_reader_destroy(r);
}

static void any_document_can_be_gone_to(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct tsl_tokstream_reader *r;
        struct tsl_tokstream_counts n;
        struct tsl_tokstream_doc d;
        struct tsl_err err = { 0 };
        struct gen g = { 1 };
        static size_t s[1 << 17], t[1 << 17];
        make(3, kind, 700000 / (kind == 2 ? 20 : 1), 500);
        assert_ok(write_docs("x", 500, kind == 1 ? 3 : 0, 0, &err), &err);
        size_t k = 0, m = 0;
        for (size_t i = 0; i < in.ndocs; i++) {
            s[i] = k;
            t[i] = m;
            for (size_t e = k + in.docs[i]; k < e; k++)
                m += in.sents[k];
        }
        assert_ok(tsl_tokstream_reader_open(&r, "x", &err), &err);
        assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 1);
        assert_ok(tsl_tokstream_reader_count(r, &n, &err), &err);
        assert_int_equal(n.ndocs, in.ndocs);
        assert_int_equal(n.ntokens, in.ntokens);
        assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 1);
        check_doc(&d, 1, s[1], t[1]);
        for (int round = 0; round < 300; round++) {
            size_t i = round == 0 ? in.ndocs - 1 : gen_below(&g, in.ndocs);
            assert_ok(tsl_tokstream_reader_seek(r, i, &err), &err);
            for (size_t e = i + 3; i < in.ndocs && i < e; i++) {
                assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 1);
                check_doc(&d, i, s[i], t[i]);
            }
            if (i == in.ndocs)
                assert_int_equal(tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err), 0);
        }
        assert_err(tsl_tokstream_reader_seek(r, in.ndocs, &err), TSL_EUSAGE, &err,
                   "document");
        tsl_tokstream_reader_destroy(r);
    }
}

static void compressed_streams_cannot_be_gone_into(void **state)
{
    struct tsl_tokstream_reader *r;
    struct tsl_err err = { 0 };
    (void)state;
    make(3, 0, 1000, 500);
    assert_ok(write_docs("x.gz", 500, 0, 0, &err), &err);
    assert_ok(tsl_tokstream_reader_open(&r, "x.gz", &err), &err);
    assert_err(tsl_tokstream_reader_seek(r, 0, &err), TSL_EUSAGE, &err, "regular file");
    tsl_tokstream_reader_destroy(r);
}

static void long_documents_come_in_pieces_or_are_refused(void **state)
{
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc d;
    struct tsl_err err = { 0 };
    (void)state;
    in.ndocs = in.nsents = 1;
    in.docs[0] = 1;
    in.sents[0] = 500000;
    in.ntokens = 500000;
    assert_ok(write_docs("x", 500, 0, 0, &err), &err);
    assert_ok(tsl_tokstream_reader_open(&r, "x", &err), &err);
    size_t n = 0, pieces = 0;
    int rc;
    while ((rc = tsl_tokstream_reader_piece(r, &d, &err)) == 1) {
        assert_true(d.first == (n == 0) && d.continues == (n > 0));
        n += d.ntokens;
        assert_true(d.last == (n == 500000) && d.goes_on == !d.last);
        assert_int_equal(d.number, 0);
        pieces++;
    }
    assert_ok(rc, &err);
    assert_true(n == 500000 && pieces > 3);
    tsl_tokstream_reader_destroy(r);
    assert_ok(tsl_tokstream_reader_open(&r, "x", &err), &err);
    assert_err(tsl_tokstream_reader_next(r, 499999, &d, &err), TSL_EFORMAT, &err,
               "document 0 has more than 499999 tokens");
    tsl_tokstream_reader_destroy(r);
}

/* Reads all of p; 0 or the error. */
static int read_all(const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc d;
    int rc = tsl_tokstream_reader_of_memory(&r, p, n, err);
    if (rc < 0)
        return rc;
    while ((rc = tsl_tokstream_reader_next(r, 1 << 20, &d, err)) == 1)
        ;
    tsl_tokstream_reader_destroy(r);
    return rc;
}

static void any_cut_and_any_changed_byte_is_an_error(void **state)
{
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    for (int level = 0; level < 2; level++) {
        make(3, 0, 700, 500);
        assert_ok(write_docs("x", 500, level, 0, &err), &err);
        uint8_t *p = file_get("x", &n);
        assert_ok(read_all(p, n, &err), &err);
        for (size_t i = 0; i < n; i++)
            assert_err(read_all(p, i, &err), TSL_EFORMAT, &err,
                       i < 8 ? "no token stream" : "input ended early");
        for (size_t i = 0; i < n; i++) {
            p[i] ^= (uint8_t)(1 << i % 8);
            assert_err(read_all(p, n, &err), TSL_EFORMAT, &err, ": ");
            p[i] ^= (uint8_t)(1 << i % 8);
        }
        uint8_t *longer = malloc(n + 1);
        memcpy(longer, p, n);
        longer[n] = 0;
        assert_err(read_all(longer, n + 1, &err), TSL_EFORMAT, &err,
                   "more behind the end");
        free(longer);
        free(p);
    }
}

/* Checksums that are right do not help counts that are not. */
static void lying_fields_are_errors(void **state)
{
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    in.ndocs = 2;
    in.docs[0] = 1, in.docs[1] = 2;
    in.nsents = 3;
    in.sents[0] = in.sents[1] = in.sents[2] = 2;
    in.ntokens = 6;
    for (uint32_t i = 0; i < 6; i++)
        in.ids[i] = i;
    assert_ok(write_docs("x", 500, 0, 0, &err), &err);
    uint8_t *p = file_get("x", &n);
    size_t head = (16 + tsl_load32(p + 8) + tsl_load32(p + 12) + 7U) / 8 * 8;
    uint8_t *b = p + head + 8;
    /* the payload: ends 1 3, sents 2 2 2 0, ends 2 6, ids 0 .. 5 and 4 bytes, ends 2 6, bits */
    assert_int_equal(tsl_load32(b + 28), 64);
    static const struct {
        size_t at; /* in the block */
        uint32_t value;
        const char *why;
    } lies[] = { { 4, 8, "no block has such flags" },
                 { 4, 1, "no block is of that size" },
                 { 4, 2, "but not where it should" },
                 { 4, 4, "but not alone" },
                 { 8, 1, "another's number" },
                 { 16, 1, "another's number" },
                 { 24, 0, "so many records" },
                 { 24, 0xffffffff, "so many records" },
                 { 28, 0xffffffff, "of that size" },
                 { 56, 4, "before they begin" },
                 { 60, 0xffffffff, "outside of its block" },
                 { 60, 1, "larger than its columns" },
                 { 64, 0, "without tokens" },
                 { 64, 1, "other tokens than it" },
                 { 76, 1, "padding that is not 0" },
                 { 88, 500, "id 500, but the vocabulary ends before 500" },
                 { 100, 1, "padding that is not 0" },
                 { 104, 1, "other word starts than tokens" },
                 { 112, 0xff, "padding that is not 0" } };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t *q = malloc(n), *c = q + (b - p);
        memcpy(q, p, n);
        tsl_store32(c + lies[i].at, lies[i].value);
        uint64_t seed = tsl_hash64(c, 48, tsl_load64(p + head));
        tsl_store64(c + 48, tsl_hash64(c + 56, 64, seed));
        assert_err(read_all(q, n, &err), TSL_EFORMAT, &err, lies[i].why);
        free(q);
    }
    free(p);
}

static void other_files_are_told_from_token_streams(void **state)
{
    struct tsl_tokstream_reader *r;
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("x", "just some text\n");
    assert_err(tsl_tokstream_reader_open(&r, "x", &err), TSL_EFORMAT, &err,
               "no token stream");
    file_put_text("x", "");
    assert_err(tsl_tokstream_reader_open(&r, "x", &err), TSL_EFORMAT, &err,
               "no token stream");
}

static void any_failure_is_told(void **state)
{
    (void)state;
    make(3, 1, 300000, 500);
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        fault_arm(nth, "calloc realloc mmap write fsync linkat");
        int rc = write_docs("out", 500, 3, 0, &err);
        const char *call = fault_disarm();
        if (!call)
            break;
        assert_true(rc < 0 || fault_is_harmless(call));
        if (rc < 0)
            assert_true(folder_is_empty("."));
        else
            remove("out");
    }
    struct tsl_err err = { 0 };
    assert_ok(write_docs("in", 500, 3, 0, &err), &err);
    for (unsigned nth = 1;; nth++) {
        struct tsl_tokstream_reader *r = NULL;
        struct tsl_tokstream_doc d;
        fault_arm(nth, "calloc realloc mmap read");
        int rc = tsl_tokstream_reader_open(&r, "in", &err);
        while (rc >= 0 && (rc = tsl_tokstream_reader_next(r, SIZE_MAX, &d, &err)) == 1)
            ;
        tsl_tokstream_reader_destroy(r);
        const char *call = fault_disarm();
        if (!call)
            break;
        assert_true(rc < 0 && err.code == rc);
        err = (struct tsl_err){ 0 };
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_again),
        TEST(bytes_do_not_depend_on_how_tokens_are_put),
        TEST(the_head_says_what_was_given),
        TEST(any_document_can_be_gone_to),
        TEST(compressed_streams_cannot_be_gone_into),
        TEST(long_documents_come_in_pieces_or_are_refused),
        TEST(any_cut_and_any_changed_byte_is_an_error),
        TEST(lying_fields_are_errors),
        TEST(other_files_are_told_from_token_streams),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
