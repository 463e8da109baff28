#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "record/tokmap.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { EMPTY_ONES = 1, LONG_ONES = 2, WIDE = 4, PACKED = 8 };

static int write_docs(unsigned kind, unsigned ndocs, struct tsl_err *err)
{
    struct tsl_tokstream_head h = { .vocab_size = kind & WIDE ? 70000 : 500 };
    struct tsl_sink_opts so = { .nthreads = 1 };
    struct tsl_tokstream_writer *w = NULL;
    struct tsl_sink sink;
    struct gen g = { kind };
    static uint32_t ids[4096];
    static uint8_t starts[4096];
    assert_ok(tsl_sink_open(&sink, "docs", false, &so, err), err);
    assert_ok(tsl_tokstream_writer_create(&w, &sink, &h, kind & PACKED ? 1 : 0, err),
              err);
    for (unsigned d = 0; d < ndocs; d++) {
        uint64_t nsents = kind & EMPTY_ONES ? gen_below(&g, 3) : 1 + gen_below(&g, 9);
        if (kind & LONG_ONES && d % 50 == 7)
            nsents = 200;
        for (; nsents; nsents--) {
            size_t n = 1 + gen_below(&g, nsents > 20 ? 4096 : 40);
            for (size_t i = 0; i < n; i++) {
                ids[i] = (uint32_t)gen_below(&g, h.vocab_size);
                starts[i] = (uint8_t)gen_below(&g, 2);
            }
            assert_ok(tsl_tokstream_writer_put(w, ids, starts, n, err), err);
            tsl_tokstream_writer_end_sentence(w);
        }
        assert_ok(tsl_tokstream_writer_end_document(w, err), err);
    }
    assert_ok(tsl_tokstream_writer_finish(w, err), err);
    tsl_tokstream_writer_destroy(w);
    assert_ok(tsl_sink_done(&sink, err), err);
    assert_ok(tsl_sink_commit(&sink, err), err);
    return tsl_sink_close(&sink), 0;
}

static void same(const struct tsl_tokmap_doc *d, const struct tsl_tokstream_doc *want)
{
    assert_int_equal(d->nsents, want->nsents);
    assert_int_equal(d->ntokens, want->ntokens);
    assert_memory_equal(d->sents, want->sents, 4 * want->nsents);
    for (size_t i = 0; i < want->ntokens; i++) {
        size_t bit = d->bit + i;
        uint32_t id = d->id_bytes == 2 ? ((const uint16_t *)d->ids)[i]
                                       : ((const uint32_t *)d->ids)[i];
        unsigned start = d->flags ? d->flags[i] : d->bits[bit / 8] >> bit % 8 & 1;
        assert_true(id == want->ids[i] && start == want->starts[i]);
    }
}

static void documents_are_those_of_the_stream(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        struct tsl_err err = { 0 };
        struct tsl_tokstream_reader *r;
        struct tsl_tokstream_doc want;
        struct tsl_tokmap *m;
        struct tsl_tokmap_doc d;
        struct tsl_tokmap_cursor there = { .block = 0 }, back = { .block = 0 };
        write_docs(kind, 1500, &err);
        assert_int_equal(tsl_tokmap_open(&m, "docs", 1 << (kind & 1 ? 30 : 10), &err), 1);
        struct tsl_tokmap_counts n = tsl_tokmap_counts(m);
        assert_int_equal(n.ndocs + n.empty, 1500);
        assert_true(!(kind & EMPTY_ONES) == !n.empty);
        assert_ok(tsl_tokstream_reader_open(&r, "docs", &err), &err);
        uint64_t i = 0, tokens = 0, sents = 0, lone = 0;
        while (tsl_tokstream_reader_next(r, UINT32_MAX, &want, &err) == 1) {
            if (!want.ntokens)
                continue;
            assert_ok(tsl_tokmap_doc(m, &there, i++, true, &d, &err), &err);
            same(&d, &want);
            tokens += want.ntokens;
            sents += want.nsents;
            lone += want.nsents == 1;
        }
        tsl_tokstream_reader_destroy(r);
        assert_true(i == n.ndocs && tokens == n.ntokens && sents == n.nsents &&
                    lone == n.lone);
        while (i--) { /* nothing hangs on the order */
            struct tsl_tokmap_doc e;
            assert_ok(tsl_tokmap_doc(m, &back, i, true, &d, &err), &err);
            uint32_t first = d.sents[0], ntokens = d.ntokens;
            assert_ok(tsl_tokmap_doc(m, &there, i, true, &e, &err), &err);
            assert_true(first == e.sents[0] && ntokens == e.ntokens);
        }
        assert_ok(tsl_tokmap_unchanged(m, &err), &err);
        tsl_tokmap_cursor_fini(&there);
        tsl_tokmap_cursor_fini(&back);
        tsl_tokmap_destroy(m);
    }
}

static void what_is_not_right_is_left_to_the_stream(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_tokmap *m;
    size_t n;
    write_docs(PACKED, 100, &err);
    assert_int_equal(tsl_tokmap_open(&m, "docs", 1 << 20, &err), 0);
    write_docs(0, 60, &err);
    uint8_t *all = file_get("docs", &n);
    for (size_t k = 0; k < 600; k++) { /* every flipped bit, sooner or later */
        size_t at = k < 300 ? k : n - 1 - (k - 300) * (n / 310);
        all[at] ^= 1 << k % 8;
        file_put("docs", all, n);
        assert_int_equal(tsl_tokmap_open(&m, "docs", 1 << 20, &err), 0);
        all[at] ^= 1 << k % 8;
    }
    for (size_t k = 1; k < n; k += n / 50 + 1) {
        file_put("docs", all, k);
        assert_int_equal(tsl_tokmap_open(&m, "docs", 1 << 20, &err), 0);
    }
    free(all);
    assert_err(tsl_tokmap_open(&m, "nothing", 1 << 20, &err), TSL_EIO, &err, "nothing");
}

static void a_failure_is_told(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    write_docs(LONG_ONES, 60, &err);
    for (unsigned nth = 1;; nth++) {
        struct tsl_tokmap *m = NULL;
        fault_arm(nth, "calloc realloc mmap open");
        int rc = tsl_tokmap_open(&m, "docs", 1 << 20, &err);
        const char *call = fault_disarm();
        if (rc == 1)
            tsl_tokmap_destroy(m);
        if (!call)
            break;
        assert_true(rc == 1 ? fault_is_harmless(call) : rc == 0 || err.code == rc);
        err = (struct tsl_err){ 0 };
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_are_those_of_the_stream),
        TEST(what_is_not_right_is_left_to_the_stream),
        TEST(a_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
