/* fuzz_samples - records of any columns and numbers, as samples that were stored and as what is
 * trained on: a sample whose parts fit together, or refused with a message.
 *
 *   byte 0   how many columns; then for each its name, type, number of values (bit 7: a fixed
 *            count) and those */
#include "record/record.h"
#include "samples/samplerec.h"
#include "support/fuzzfile.h"
#include "train/trainfields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "input_ids",
    "ids",
    "key",
    "input_mask",
    "attention_mask",
    "segment_ids",
    "first",
    "label",
    "starts",
    "places",
    "targets",
    "masked_lm_positions",
    "masked_lm_ids",
    "masked_lm_weights",
    "labels",
    "ends",
    "positions",
    "kind",
    "prefix",
    "outs",
    "next_sentence_labels",
};
enum { NNAMES = sizeof names / sizeof names[0], COLUMNS = 16 };

struct record {
    struct tsl_schema schema;
    struct tsl_value values[COLUMNS];
    void *held[COLUMNS]; /* exactly as large as the values, for the sanitizer's sake */
};

static bool add_column(struct record *r, const uint8_t **at, size_t *left)
{
    const uint8_t *p = *at;
    if (*left < 3)
        return false;
    enum tsl_dtype type = (enum tsl_dtype)(p[1] % TSL_BYTES);
    bool fixed = p[2] & 0x80;
    uint32_t n = p[2] & 0x7f;
    size_t bytes = n * tsl_dtype_bytes(type), i = r->schema.ncolumns;
    if (bytes > *left - 3 || (fixed && n == 0))
        return false;
    if (tsl_schema_add(&r->schema, names[p[0] % NNAMES], type, !fixed, fixed && n > 1, &n,
                       NULL) < 0)
        return false; /* a second one of that name */
    uint8_t *copy = malloc(bytes ? bytes : 1);
    must(copy != NULL);
    memcpy(copy, p + 3, bytes);
    for (uint32_t k = 0; type == TSL_BIT && k < n; k++)
        copy[k] &= 1;
    r->held[i] = copy;
    r->values[i] = (struct tsl_value){ copy, NULL, n };
    *at += 3 + bytes;
    *left -= 3 + bytes;
    return true;
}

static void check_sample(const struct tsl_sample *s)
{
    must(s->n <= TSL_SAMPLE_TOKENS_MAX && s->n <= s->cap && s->nmasked <= s->cap);
    must(s->first <= s->n && s->nends <= s->n && s->nouts <= s->cap);
    must(s->kind <= TSL_SAMPLE_PREFIX && s->prefix <= s->n);
    for (uint32_t i = 0; i < s->nends; i++)
        must(s->ends[i] <= s->n && (i == 0 || s->ends[i] >= s->ends[i - 1]));
    for (uint32_t i = 0; s->has_positions && i < s->n; i++)
        must(s->positions[i] < TSL_SAMPLE_TOKENS_MAX);
    for (uint32_t i = 0; i < s->n; i++)
        must(s->starts[i] <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record r = { 0 };
    struct tsl_trainfields fields;
    struct tsl_samplecols cols;
    struct tsl_sample sample;
    if (size < 1 || size > 1 << 14)
        return 0;
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    for (unsigned i = data[0] % (COLUMNS + 1); i-- && add_column(&r, &at, &left);)
        ;
    const struct tsl_record rec = { .number = 5, .values = r.values };
    must(tsl_sample_init(&sample, 4, NULL) == 0);
    struct tsl_err err = { 0 };
    int rc = tsl_samplecols_find(&cols, &r.schema, "f", &err);
    must_tell(rc, &err);
    if (rc == 0) {
        rc = tsl_samplecols_read(&cols, &rec, &sample, &err);
        must_tell(rc, &err);
    }
    if (rc == 0)
        check_sample(&sample);
    err = (struct tsl_err){ 0 };
    rc = tsl_trainfields_find(&fields, &r.schema, "f", &err);
    must_tell(rc, &err);
    if (rc == 0) {
        char told[40];
        tsl_trainfields_tell(&fields, &r.schema, told, sizeof told);
        rc = tsl_trainfields_read(&fields, &rec, &sample, &err);
        must_tell(rc, &err);
    }
    if (rc == 0)
        check_sample(&sample);
    tsl_sample_fini(&sample);
    for (size_t i = 0; i < r.schema.ncolumns; i++)
        free(r.held[i]);
    return 0;
}
