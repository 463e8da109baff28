/* crec diff - do two inputs hold the same records, whatever their formats? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/quote.h"
#include "crec.h"
#include "record/value.h"

static const struct cli_opt opts[] = {
    CREC_OPT('n', "count", "N", CLI_COUNT, &crec_given.count,
             "stop after N records that differ; default: 1"),
    CREC_FROM,
    CREC_MEMORY,
    CREC_QUIET("print nothing"),
    { 0 },
};

enum kind { INTEGERS, FLOATS, STRINGS };

static enum kind kind_of(enum tsl_dtype t)
{
    bool floats = t == TSL_F16 || t == TSL_F32 || t == TSL_F64;
    return tsl_dtype_bytes(t) == 0 ? STRINGS : floats ? FLOATS : INTEGERS;
}

/* Value i as bits that are equal where the numbers are. */
static struct tsl_u128 number(enum tsl_dtype t, const struct tsl_value *v, uint32_t i)
{
    struct tsl_u128 bits = { 0, 0 };
    if (kind_of(t) == FLOATS) {
        double f = tsl_value_real(t, v, i);
        memcpy(&bits.lo, &f, sizeof f);
    } else {
        int64_t n = tsl_value_whole(t, v, i);
        bits = (struct tsl_u128){ (uint64_t)n, n < 0 && t != TSL_U64 };
    }
    return bits;
}

/* The same for columns of different types of one kind. */
static uint32_t first_other_number(enum tsl_dtype t, enum tsl_dtype u,
                                   const struct tsl_value *a, const struct tsl_value *b)
{
    uint32_t n = a->n < b->n ? a->n : b->n;
    for (uint32_t i = 0; i < n; i++)
        if (!tsl_u128_equal(number(t, a, i), number(u, b, i)))
            return i;
    return a->n == b->n ? UINT32_MAX : n;
}

/* Where the values begin to differ, or UINT32_MAX. */
static uint32_t first_other(const struct tsl_column *c, enum tsl_dtype d,
                            const struct tsl_value *a, const struct tsl_value *b)
{
    uint32_t n = a->n < b->n ? a->n : b->n;
    size_t size = tsl_dtype_bytes(c->type), at = 0;
    if (d != c->type && size)
        return first_other_number(c->type, d, a, b);
    if (a->n == b->n &&
        (size || a->n == 0 || memcmp(a->lens, b->lens, 4 * (size_t)a->n) == 0)) {
        size_t bytes = (size_t)tsl_value_bytes(c, a);
        if (bytes == 0 || memcmp(a->data, b->data, bytes) == 0)
            return UINT32_MAX;
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t k = size ? size : a->lens[i];
        if ((!size && a->lens[i] != b->lens[i]) ||
            (k && memcmp((const char *)a->data + at, (const char *)b->data + at, k) != 0))
            return i;
        at += k;
    }
    return n;
}

/* The columns by name; which of b's each of a's is. */
static bool same_columns(const struct tsl_schema *a, const struct tsl_schema *b, int *of)
{
    bool same = a->ncolumns == b->ncolumns;
    for (size_t i = 0; i < a->ncolumns; i++) {
        of[i] = tsl_schema_find(b, a->columns[i].name);
        if (of[i] < 0) {
            if (!crec_given.quiet)
                printf("column %s: only in the first\n", tsl_quote(a->columns[i].name).s);
            same = false;
        } else if (kind_of(b->columns[of[i]].type) != kind_of(a->columns[i].type)) {
            if (!crec_given.quiet)
                printf("column %s: %s and %s\n", tsl_quote(a->columns[i].name).s,
                       tsl_dtype_name(a->columns[i].type),
                       tsl_dtype_name(b->columns[of[i]].type));
            same = false;
        }
    }
    for (size_t i = 0; i < b->ncolumns && !crec_given.quiet; i++)
        if (tsl_schema_find(a, b->columns[i].name) < 0)
            printf("column %s: only in the second\n", tsl_quote(b->columns[i].name).s);
    return same;
}

/* Does the record differ?  Says where. */
static bool differs(uint64_t i, const struct tsl_schema *s, const struct tsl_schema *t,
                    const int *of, const struct tsl_record *a, const struct tsl_record *b)
{
    bool other = false;
    for (size_t c = 0; c < s->ncolumns; c++) {
        const struct tsl_value *x = &a->values[c], *y = &b->values[of[c]];
        uint32_t at = first_other(&s->columns[c], t->columns[of[c]].type, x, y);
        if (at == UINT32_MAX)
            continue;
        if (!crec_given.quiet) {
            printf("record %" PRIu64 ": column %s: ", i, tsl_quote(s->columns[c].name).s);
            if (at == x->n || at == y->n)
                printf("%" PRIu32 " values and %" PRIu32 "\n", x->n, y->n);
            else
                printf("from value %" PRIu32 " on\n", at);
        }
        other = true;
    }
    return other;
}

/* 0, 1 where they differ, or an error. */
static int compare(struct tsl_recreader *a, struct tsl_recreader *b, struct tsl_err *err)
{
    const struct tsl_schema *s = &tsl_recreader_head(a)->schema;
    const struct tsl_schema *t = &tsl_recreader_head(b)->schema;
    struct tsl_record x, y;
    int of[TSL_COLUMNS_MAX];
    uint64_t most = crec_given.count == UINT64_MAX ? 1 : crec_given.count, found = 0;
    if (!same_columns(s, t, of))
        return 1;
    for (uint64_t i = 0; found < most; i++) {
        int in_a = tsl_recreader_next(a, &x, err);
        int in_b = in_a < 0 ? 0 : tsl_recreader_next(b, &y, err);
        if (in_a < 0 || in_b < 0)
            return in_a < 0 ? in_a : in_b;
        if (in_a != in_b) {
            if (!crec_given.quiet)
                printf("only the %s has record %" PRIu64 "\n", in_a ? "first" : "second",
                       i);
            return 1;
        }
        if (!in_a)
            break;
        found += differs(i, s, t, of, &x, &y);
    }
    return found > 0;
}

static int diff(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_recreader *a = NULL, *b = NULL;
    if (n != 2)
        cli_misuse(true, "two files are compared, not %zu", n);
    if (crec_given.count == 0)
        cli_misuse(true, "invalid --count: 0");
    int rc = crec_open(&a, operands[0], err);
    if (rc == 0)
        rc = crec_open(&b, operands[1], err);
    if (rc == 0)
        rc = compare(a, b, err);
    tsl_recreader_destroy(a);
    tsl_recreader_destroy(b);
    int differ = rc == 1;
    return cli_finish(rc < 0 ? rc : crec_flush(err), err) ? 2 : differ;
}

const struct crec_command crec_diff = {
    .name = "diff",
    .usage = "[OPTION]... FILE FILE",
    .summary =
        "Tell where two inputs begin to hold other records.  Columns are compared by\n"
        "name, in any order, numbers by what they are; formats, shards, compression and\n"
        "meta are not compared.",
    .notes = "Exit status 0: the same records; 1: others; 2: could not be compared.\n"
             "\n",
    .examples = "Examples:\n"
                "  crec diff train-mds train-native\n",
    .opts = opts,
    .run = diff,
    .checks = true,
};
