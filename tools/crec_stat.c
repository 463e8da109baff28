/* crec stat - what the columns of records hold. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "crec.h"
#include "crec_html.h"
#include "record/value.h"

static const char *html; /* the page's name, or NULL */

static const struct cli_opt opts[] = {
    CREC_OPT(0, "html", "PAGE", CLI_STR, &html,
             "write pictures of one FILE to PAGE, for a browser, and no\n"
             "text; -: standard output"),
    CREC_FROM,
    CREC_MEMORY,
    { 0 },
};

struct tally {
    uint64_t nvalues, nbytes;
    uint32_t n_least, n_most;     /* values of a record */
    uint32_t len_least, len_most; /* bytes of a string */
    uint64_t ones, odd;           /* bits that are 1; floats that are not finite */
    int64_t i_least, i_most;
    uint64_t u_least, u_most;
    double f_least, f_most;
};

#define EACH(type, least, most)                                                          \
    do {                                                                                 \
        const uint8_t *p = v->data; /* at any byte: value.h */                           \
        for (uint32_t i = 0; i < v->n; i++, p += sizeof(type)) {                         \
            type x;                                                                      \
            memcpy(&x, p, sizeof x);                                                     \
            t->least = x < t->least ? x : t->least;                                      \
            t->most = x > t->most ? x : t->most;                                         \
        }                                                                                \
    } while (0)

static void float_in(struct tally *t, double x)
{
    if (!isfinite(x)) {
        t->odd++;
        return;
    }
    t->f_least = x < t->f_least ? x : t->f_least;
    t->f_most = x > t->f_most ? x : t->f_most;
}

static void strings_in(struct tally *t, const struct tsl_value *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        t->nbytes += v->lens[i];
        t->len_least = v->lens[i] < t->len_least ? v->lens[i] : t->len_least;
        t->len_most = v->lens[i] > t->len_most ? v->lens[i] : t->len_most;
    }
}

static void tally_value(struct tally *t, enum tsl_dtype type, const struct tsl_value *v)
{
    t->nvalues += v->n;
    t->n_least = v->n < t->n_least ? v->n : t->n_least;
    t->n_most = v->n > t->n_most ? v->n : t->n_most;
    switch (type) {
    case TSL_U8: EACH(uint8_t, u_least, u_most); break;
    case TSL_U16: EACH(uint16_t, u_least, u_most); break;
    case TSL_U32: EACH(uint32_t, u_least, u_most); break;
    case TSL_U64: EACH(uint64_t, u_least, u_most); break;
    case TSL_I8: EACH(int8_t, i_least, i_most); break;
    case TSL_I16: EACH(int16_t, i_least, i_most); break;
    case TSL_I32: EACH(int32_t, i_least, i_most); break;
    case TSL_I64: EACH(int64_t, i_least, i_most); break;
    case TSL_F16:
    case TSL_F32:
    case TSL_F64:
        for (uint32_t i = 0; i < v->n; i++)
            float_in(t, tsl_value_real(type, v, i));
        break;
    case TSL_BIT:
        for (uint32_t i = 0; i < v->n; i++)
            t->ones += ((const uint8_t *)v->data)[i];
        break;
    default: strings_in(t, v); break;
    }
}

static double mean(uint64_t sum, uint64_t n)
{
    return n ? (double)sum / (double)n : 0;
}

static void print_range(const struct tsl_column *c, const struct tally *t)
{
    if (t->nvalues == 0)
        return;
    switch (c->type) {
    case TSL_U8:
    case TSL_U16:
    case TSL_U32:
    case TSL_U64: printf("; %" PRIu64 " to %" PRIu64, t->u_least, t->u_most); break;
    case TSL_I8:
    case TSL_I16:
    case TSL_I32:
    case TSL_I64: printf("; %" PRId64 " to %" PRId64, t->i_least, t->i_most); break;
    case TSL_F16:
    case TSL_F32:
    case TSL_F64:
        if (t->odd < t->nvalues)
            printf("; %.6g to %.6g", t->f_least, t->f_most);
        if (t->odd)
            printf("; %" PRIu64 " not finite", t->odd);
        break;
    case TSL_BIT: printf("; %.2f %% are 1", 100 * mean(t->ones, t->nvalues)); break;
    default:
        printf("; %" PRIu32 " to %" PRIu32 " bytes, mean %.1f", t->len_least, t->len_most,
               mean(t->nbytes, t->nvalues));
    }
}

static void print_column(const struct tsl_column *c, const struct tally *t, uint64_t n)
{
    char shape[64] = "";
    size_t at = 0;
    for (uint32_t d = 0; d < c->ndims; d++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%" PRIu32, d ? "x" : " ",
                               c->dims[d]);
    printf("%-12s %s%s, %" PRIu64 " value%s", tsl_quote(c->name).s,
           tsl_dtype_name(c->type), c->count ? shape : " list", t->nvalues,
           t->nvalues == 1 ? "" : "s");
    if (c->count == 0 && n)
        printf(", %" PRIu32 " to %" PRIu32 " a record, mean %.1f", t->n_least, t->n_most,
               mean(t->nvalues, n));
    print_range(c, t);
    printf("\n");
}

/* JSON over several lines, each behind the same margin. */
static void print_meta(const char *meta)
{
    const char *label = "meta";
    for (const char *p = meta ? meta : "{}"; *p;) {
        size_t k = strcspn(p, "\n");
        if (k)
            printf("%-12s %.*s\n", label, (int)(k < 100000 ? k : 100000), p);
        label = "";
        p += k + (p[k] != '\0');
    }
}

static int stat_of(const char *path, struct tsl_err *err)
{
    struct tsl_recreader *r = NULL;
    struct tsl_record rec;
    uint64_t n = 0;
    struct tally *tallies =
        tsl_mem_alloc(TSL_COLUMNS_MAX, sizeof *tallies, "tallies", err);
    int rc = tallies ? crec_open(&r, path, err) : TSL_ENOMEM;
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++)
        tallies[i] = (struct tally){ .n_least = UINT32_MAX,
                                     .len_least = UINT32_MAX,
                                     .i_least = INT64_MAX,
                                     .i_most = INT64_MIN,
                                     .u_least = UINT64_MAX,
                                     .f_least = INFINITY,
                                     .f_most = -INFINITY };
    const struct tsl_rechead *h = tsl_recreader_head(r);
    while ((rc = tsl_recreader_next(r, &rec, err)) == 1) {
        n++;
        for (size_t i = 0; i < h->schema.ncolumns; i++)
            tally_value(&tallies[i], h->schema.columns[i].type, &rec.values[i]);
    }
    if (rc < 0)
        goto out;
    printf("%-12s %s\n%-12s %s\n%-12s %" PRIu64, "file", tsl_quote(path).s, "format",
           tsl_recreader_format(r), "records", n);
    printf(h->first ? ", the first has number %" PRIu64 "\n" : "\n", h->first);
    for (size_t i = 0; i < h->schema.ncolumns; i++)
        print_column(&h->schema.columns[i], &tallies[i], n);
    print_meta(h->meta);
out:
    tsl_recreader_destroy(r);
    tsl_mem_free(tallies);
    return rc;
}

static int page_of(const char *path, struct tsl_err *err)
{
    struct tsl_recreader *r;
    struct crec_html *page = NULL;
    struct tsl_record rec;
    int rc = crec_open(&r, path, err);
    if (rc < 0)
        return rc;
    rc = crec_html_create(&page, r, path, crec_given.memory, err);
    while (rc == 0 && (rc = tsl_recreader_next(r, &rec, err)) == 1) {
        crec_html_add(page, &rec);
        rc = 0;
    }
    if (rc == 0)
        rc = crec_html_write(page, html, err);
    crec_html_destroy(page);
    tsl_recreader_destroy(r);
    return rc;
}

static int stat_all(char **operands, size_t n, struct tsl_err *err)
{
    int rc = 0;
    if (html && n > 1)
        cli_misuse(true, "a page is of one FILE");
    if (html)
        return cli_finish(page_of(crec_input(operands, n, 0), err), err);
    for (size_t i = 0; rc == 0 && i < (n ? n : 1); i++) {
        if (i)
            printf("\n");
        rc = stat_of(crec_input(operands, n, i), err);
    }
    if (rc == 0)
        rc = crec_flush(err);
    return cli_finish(rc, err);
}

const struct crec_command crec_stat = {
    .name = "stat",
    .usage = "[OPTION]... [FILE]...",
    .summary =
        "Tell what each FILE holds: format, records, what is in every column, and meta.",
    .notes = "All records are read, and so checked.\n"
             "\n",
    .examples = "Examples:\n"
                "  crec stat train/part-00000.tslrec\n"
                "  crec stat --html=train.html train\n",
    .opts = opts,
    .run = stat_all,
};
