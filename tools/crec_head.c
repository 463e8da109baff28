/* crec head, at, count - records as lines, and how many there are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "crec.h"

/* ---- head ---- */

static const struct cli_opt head_opts[] = {
    CREC_OPT('n', "count", "N", CLI_COUNT, &crec_given.count,
             "print N records of each input; default: 10"),
    CREC_FROM,
    CREC_MEMORY,
    { 0 },
};

static int head_of(const char *path, uint64_t n, struct tsl_err *err)
{
    struct tsl_recreader *r;
    struct tsl_record rec;
    int rc = crec_open(&r, path, err);
    if (rc < 0)
        return rc;
    while (rc == 0 && n-- && (rc = tsl_recreader_next(r, &rec, err)) == 1)
        rc = crec_print(&tsl_recreader_head(r)->schema, &rec, err);
    tsl_recreader_destroy(r);
    return rc;
}

static int head(char **operands, size_t n, struct tsl_err *err)
{
    uint64_t most = crec_given.count == UINT64_MAX ? 10 : crec_given.count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < (n ? n : 1); i++)
        rc = head_of(crec_input(operands, n, i), most, err);
    if (rc == 0)
        rc = crec_flush(err);
    return cli_finish(rc, err);
}

const struct crec_command crec_head = {
    .name = "head",
    .usage = "[OPTION]... [FILE]...",
    .summary =
        "Print the first records as JSON Lines: an object for each, its columns in\n"
        "order.",
    .notes = "",
    .examples = "Examples:\n"
                "  crec head -n 1 train/part-00000.tslrec | jq .\n",
    .opts = head_opts,
    .run = head,
};

/* ---- at ---- */

static const struct cli_opt at_opts[] = {
    CREC_FROM,
    CREC_MEMORY,
    { 0 },
};

/* I or I-J: from position I to J. */
static void range_of(const char *s, uint64_t *from, uint64_t *to)
{
    char first[24];
    const char *dash = strchr(s, '-');
    if (!dash || dash == s || (size_t)(dash - s) >= sizeof first) {
        *from = *to = crec_number("number of a record", s);
        return;
    }
    memcpy(first, s, (size_t)(dash - s));
    first[dash - s] = '\0';
    *from = crec_number("number of a record", first);
    *to = crec_number("number of a record", dash + 1);
    if (*to < *from)
        cli_misuse(true, "a range that ends before it begins: %s", tsl_quote(s).s);
}

/* Goes to record i: 1 and the record, 0 where there are fewer, or an error.  Without an index,
 * by reading those in front of it: of a set, whose shards may have none, from its begin. */
static int go_to(struct tsl_recreader **r, uint64_t i, const char *path,
                 struct tsl_record *rec, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    uint64_t n;
    int rc = tsl_recreader_count(*r, &n, &why);
    if (rc == 0 && i >= n)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: record %" PRIu64 ", but there are %" PRIu64,
                           tsl_quote(path).s, i, n);
    if (rc == 0 && (rc = tsl_recreader_at(*r, i, rec, &why)) == TSL_EUSAGE) {
        tsl_recreader_destroy(*r);
        *r = NULL;
        int again = crec_open(r, path, err);
        if (again < 0)
            return again;
    }
    if (rc != TSL_EUSAGE)
        return rc < 0 ? tsl_err_pass(err, &why) : 1;
    for (uint64_t k = 0; k <= i; k++)
        if ((rc = tsl_recreader_next(*r, rec, err)) != 1)
            return rc;
    return 1;
}

static int print_range(struct tsl_recreader **r, uint64_t from, uint64_t to,
                       const char *path, struct tsl_err *err)
{
    struct tsl_record rec;
    uint64_t i = from;
    int rc = go_to(r, from, path, &rec, err);
    for (;;) {
        if (rc == 0)
            return tsl_err_set(err, TSL_EUSAGE, "%s: it ends before record %" PRIu64,
                               tsl_quote(path).s, i);
        if (rc == 1)
            rc = crec_print(&tsl_recreader_head(*r)->schema, &rec, err);
        if (rc < 0 || i++ == to)
            return rc;
        rc = tsl_recreader_next(*r, &rec, err);
    }
}

static int at(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_recreader *r;
    uint64_t from, to;
    if (n == 0 || n > 2)
        cli_misuse(true, n ? "one FILE at a time" : "which record?");
    range_of(operands[0], &from, &to);
    const char *path = n == 2 ? operands[1] : "-";
    int rc = crec_open(&r, path, err);
    if (rc == 0) {
        rc = print_range(&r, from, to, path, err);
        tsl_recreader_destroy(r);
    }
    if (rc == 0)
        rc = crec_flush(err);
    return cli_finish(rc, err);
}

const struct crec_command crec_at = {
    .name = "at",
    .usage = "[OPTION]... I[-J] [FILE]",
    .summary =
        "Print record I, or those from I to J, as JSON Lines.  The first has number 0.",
    .notes =
        "Formats with an index go there at once; of others, and of pipes, all records\n"
        "in front are read.\n"
        "\n",
    .examples = "Examples:\n"
                "  crec at 1000000-1000009 train\n",
    .opts = at_opts,
    .run = at,
};

/* ---- count ---- */

static const struct cli_opt count_opts[] = {
    CREC_FROM,
    CREC_MEMORY,
    { 0 },
};

static int count(char **operands, size_t n, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < (n ? n : 1); i++) {
        const char *path = crec_input(operands, n, i);
        struct tsl_recreader *r;
        uint64_t records;
        rc = crec_open(&r, path, err);
        if (rc < 0)
            break;
        rc = crec_total(r, &records, err);
        if (rc == 0)
            printf(n > 1 ? "%" PRIu64 " %s\n" : "%" PRIu64 "\n", records,
                   tsl_quote(path).s);
        tsl_recreader_destroy(r);
    }
    if (rc == 0)
        rc = crec_flush(err);
    return cli_finish(rc, err);
}

const struct crec_command crec_count = {
    .name = "count",
    .usage = "[OPTION]... [FILE]...",
    .summary = "Print how many records each FILE has.",
    .notes = "Formats with an index are asked; others, and pipes, are read.\n"
             "\n",
    .examples = "Examples:\n"
                "  crec count train\n",
    .opts = count_opts,
    .run = count,
};
