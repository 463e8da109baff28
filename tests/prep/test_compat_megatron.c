#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prep/compat_megatron.h"
#include "support/fixture.h"

#define DIR "formats/megatron/"

/* A little-endian .npy of version 1, whose header is not looked at. */
static uint8_t *npy(const char *name, size_t item_bytes, size_t *nitems, uint8_t **items)
{
    size_t n;
    uint8_t *file = fixture_get(name, &n);
    size_t head = 10 + (size_t)file[8] + ((size_t)file[9] << 8);
    *items = file + head;
    *nitems = (n - head) / item_bytes;
    return file;
}

static uint32_t u32_at(const uint8_t *p, size_t i)
{
    return p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
           (uint32_t)p[4 * i + 3] << 24;
}

struct sizes {
    uint64_t docs[512];
    uint32_t sizes[4096];
    uint64_t ndocs, nsents;
};

static void read_sizes(struct sizes *x)
{
    size_t n;
    struct tsl_jsonread *doc;
    struct tsl_err err = { 0 };
    uint8_t *text = fixture_get(DIR "synthetic_sentence_u16.json", &n);
    assert_ok(tsl_jsonread_parse(&doc, (struct tsl_slice){ text, n }, "json", &err),
              &err);
    const struct tsl_jsonval *docs =
        tsl_jsonread_get(tsl_jsonread_root(doc), "documents");
    *x = (struct sizes){ .ndocs = tsl_jsonread_size(docs) };
    assert_true(x->ndocs > 10 && x->ndocs < 500);
    for (size_t d = 0; d < x->ndocs; d++) {
        const struct tsl_jsonval *sents = tsl_jsonread_at(docs, d);
        for (size_t s = 0; s < tsl_jsonread_size(sents); s++) {
            assert_true(x->nsents < 4096);
            x->sizes[x->nsents++] =
                (uint32_t)tsl_jsonread_size(tsl_jsonread_at(sents, s));
        }
        x->docs[d + 1] = x->nsents;
    }
    tsl_jsonread_destroy(doc);
    free(text);
}

static void samples_of_sentences_are_those_of_build_mapping(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct tsl_compat_megatron_opts o;
    } cases[] = {
        { DIR "build_mapping_ep1_max1000000000_len125_short0.1_seed1234_min2.npy",
          { 1, 1000000000, 125, .1, 1234, 2 } },
        { DIR "build_mapping_ep1_max1000000000_len126_short0.0_seed1_min1.npy",
          { 1, 1000000000, 126, 0, 1, 1 } },
        { DIR "build_mapping_ep3_max100_len61_short0.5_seed7_min2.npy",
          { 3, 100, 61, .5, 7, 2 } },
    };
    static struct sizes x;
    read_sizes(&x);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct tsl_err err = { 0 };
        struct tsl_compat_megatron_row *rows;
        uint64_t n;
        size_t nwant;
        uint8_t *want, *file = npy(cases[c].name, 12, &nwant, &want);
        assert_ok(tsl_compat_megatron_mapping(x.docs, x.ndocs, x.sizes, &cases[c].o,
                                              &rows, &n, &err),
                  &err);
        assert_int_equal(n, nwant);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(rows[i].first, u32_at(want, 3 * i));
            assert_int_equal(rows[i].end, u32_at(want, 3 * i + 1));
            assert_int_equal(rows[i].target, u32_at(want, 3 * i + 2));
        }
        tsl_mem_free(rows);
        free(file);
    }
}

static void samples_of_the_stream_are_those_of_build_sample_idx(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    size_t nsizes, nidx, nwant;
    uint8_t *a, *b, *want;
    uint8_t *fa = npy(DIR "doc_lengths.npy", 4, &nsizes, &a);
    uint8_t *fb = npy(DIR "document_idx_seed1234.npy", 4, &nidx, &b);
    uint8_t *fc = npy(DIR "sample_idx_len64_droplast.npy", 8, &nwant, &want);
    uint32_t sizes[256], idx[256];
    uint64_t *pairs, n;
    assert_true(nsizes < 256 && nidx < 256);
    for (size_t i = 0; i < nsizes; i++)
        sizes[i] = u32_at(a, i);
    for (size_t i = 0; i < nidx; i++)
        idx[i] = u32_at(b, i);
    assert_ok(tsl_compat_megatron_sample_idx(sizes, idx, nidx, 64, 1, &pairs, &n, &err),
              &err);
    assert_int_equal(n + 1, nwant);
    for (size_t i = 0; i < 2 * nwant; i++)
        assert_int_equal(pairs[i], u32_at(want, i));
    tsl_mem_free(pairs);
    free(fa);
    free(fb);
    free(fc);
}

static void blends_are_those_of_build_blending_indices(void **state)
{
    (void)state;
    static const double weights[] = { .5, .3, .2 };
    size_t n, m;
    uint8_t *a, *b;
    uint8_t *fa = npy(DIR "blend_0.5_0.3_0.2_dataset_index.npy", 2, &n, &a);
    uint8_t *fb = npy(DIR "blend_0.5_0.3_0.2_sample_index.npy", 8, &m, &b);
    uint16_t sets[50];
    uint64_t numbers[50], taken[3];
    assert_true(n == 50 && m == 50);
    tsl_compat_megatron_blend(weights, 3, 50, sets, numbers, taken);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(sets[i], a[2 * i]);
        assert_int_equal(numbers[i], u32_at(b, 2 * i));
    }
    assert_true(taken[0] == 25 && taken[1] == 15 && taken[2] == 10);
    free(fa);
    free(fb);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_compat_megatron_row *rows;
    uint64_t n, docs[1] = { 0 }, *pairs;
    uint32_t none = 0;
    struct tsl_compat_megatron_opts o = { 1, 10, 1, 0, 1, 1 };
    assert_err(tsl_compat_megatron_mapping(docs, 0, &none, &o, &rows, &n, &err),
               TSL_EUSAGE, &err, "length of 1");
    o.length = 8;
    assert_ok(tsl_compat_megatron_mapping(docs, 0, &none, &o, &rows, &n, &err), &err);
    assert_int_equal(n, 0);
    tsl_mem_free(rows);
    assert_err(tsl_compat_megatron_sample_idx(&none, &none, 0, 0, 1, &pairs, &n, &err),
               TSL_EUSAGE, &err, "0 tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_of_sentences_are_those_of_build_mapping),
        TEST(samples_of_the_stream_are_those_of_build_sample_idx),
        TEST(blends_are_those_of_build_blending_indices),
        TEST(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
