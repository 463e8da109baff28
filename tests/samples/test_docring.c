#include "support/test.h"

#include <string.h>

#include "samples/docring.h"
#include "support/gendata.h"
#include "support/memdocs.h"

static char name[] = "docs", *paths[] = { name };

static void write_docs(const struct memdocs *m)
{
    FILE *f = fopen("docs", "w");
    for (uint64_t i = 0; i < m->ndocs; i++) {
        struct tsl_doc d;
        memdocs_get((void *)(uintptr_t)m, i, 0, &d, NULL);
        fputc('[', f);
        for (size_t s = 0, t = 0; s < d.nsents; t += d.sents[s++]) {
            for (uint32_t k = 0; k < d.sents[s]; k++)
                fprintf(f, "%s%u", k ? "," : s ? ",[" : "[", d.ids[t + k]);
            fputc(']', f);
        }
        fputs("]\n", f);
    }
    fclose(f);
}

/* What was shown stays as it was while more is pulled in, until it is forgotten. */
static void documents_stay_until_they_are_forgotten(void **state)
{
    (void)state;
    struct memdocs m;
    memdocs_init(&m);
    memdocs_make(&m, 5, 6000, 4, 9, 5, 300);
    write_docs(&m);
    static const uint64_t memory[] = { 1 << 20, 20000, 0 };
    for (int i = 0; i < 3; i++) {
        struct tsl_docread_opts o = { .paths = paths,
                                      .npaths = 1,
                                      .jsonl = true,
                                      .vocab_size = 300,
                                      .memory = 1 << 20 };
        struct tsl_err err = { 0 };
        struct gen g = { 3 };
        struct tsl_docread *read;
        struct tsl_docring *ring;
        struct tsl_docview *v;
        struct tsl_doc d, want;
        uint64_t first = 0, seen = 0;
        int rc;
        assert_ok(tsl_docread_open(&read, &o, &err), &err);
        assert_ok(tsl_docring_create(&ring, read, memory[i], ".", &err), &err);
        struct tsl_docsource now = tsl_docring_now(ring);
        assert_ok(tsl_docview_create(&v, &now, &err), &err);
        while ((rc = tsl_docring_pull(ring, &d, &err)) == 1) {
            uint64_t count = tsl_docring_count(ring);
            if (gen_below(&g, 3) == 0) {
                now = tsl_docring_now(ring);
                seen = count;
                tsl_docview_turn(v, &now);
            }
            if (seen > first) {
                uint64_t k = first + gen_below(&g, seen - first);
                const struct tsl_docs *docs = tsl_docview_docs(v);
                assert_ok(docs->get(docs->ctx, k, k & 1, &d, &err), &err);
                memdocs_get(&m, k, 0, &want, NULL);
                assert_int_equal(d.ntokens, want.ntokens);
                assert_memory_equal(d.ids, want.ids, 4 * want.ntokens);
                assert_memory_equal(d.sents, want.sents, 4 * want.nsents);
            }
            if (count - first > 2000 && seen > first) {
                first += gen_below(&g, seen - first);
                tsl_docring_forget(ring, first);
            }
        }
        assert_ok(rc, &err);
        assert_int_equal(tsl_docring_count(ring), 6000);
        tsl_docview_destroy(v);
        tsl_docring_destroy(ring);
        tsl_docread_destroy(read);
        assert_int_equal(folder_count("."), 1);
    }
    memdocs_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(documents_stay_until_they_are_forgotten) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
